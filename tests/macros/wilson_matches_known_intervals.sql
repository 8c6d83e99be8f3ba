-- Share and Wilson interval against values computed by hand from the formula (z = 1.959963984540054), to 1e-12; null and
-- zero bases, withheld parts, and the ends 0 and 1.
with fixture as (

    select * from (
        values
        ('20 of 100', cast(20 as double), cast(100 as double), 0.2, 0.1333669333310325, 0.2888291655931589),
        ('80 of 100', 80, 100, 0.8, 0.7111708344068411, 0.8666330666689674),
        ('15 of 60', 15, 60, 0.25, 0.15776522530056675, 0.3723207007704782),
        ('a fraction of conversations', 7.5, 30, 0.25, 0.12975435335328783, 0.4270023432336965),
        ('none', 0, 10, 0.0, 0.0, 0.2775327998628892),
        ('all', 10, 10, 1.0, 0.7224672001371106, 1.0),
        ('withheld part', null, 100, null, null, null),
        ('withheld base', 20, null, null, null, null),
        ('nothing of nothing', 0, 0, null, null, null)
    ) as listed (row_name, part, base, expected_share, expected_lower, expected_upper)

),

computed as (

    select
        row_name,
        expected_share,
        expected_lower,
        expected_upper,
        {{ share_columns('share_of_base', 'part', 'base') }}
    from fixture

)

select *
from computed
where
    (share_of_base is null) <> (expected_share is null)
    or (share_of_base_lower is null) <> (expected_lower is null)
    or (share_of_base_upper is null) <> (expected_upper is null)
    or not coalesce(abs(share_of_base - expected_share) <= 1e-12, true)
    or not coalesce(abs(share_of_base_lower - expected_lower) <= 1e-12, true)
    or not coalesce(abs(share_of_base_upper - expected_upper) <= 1e-12, true)
    or not coalesce(share_of_base_lower <= share_of_base + 1e-12 and share_of_base <= share_of_base_upper + 1e-12, true)
