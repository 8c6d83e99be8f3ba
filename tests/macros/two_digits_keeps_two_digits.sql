-- Two significant digits as text, over the whole range that calls, tokens and dollars can have; null stays null.
with fixture as (

    select * from (
        values
        (0.0, '0'), (0.0000001, '0'), (0.00012345, '0.00012'), (0.01234, '0.012'), (0.1, '0.1'), (0.99, '0.99'),
        (0.999, '1'), (1.05, '1.1'), (3.0, '3'), (9.96, '10'), (15.0, '15'), (99.0, '99'), (99.6, '100'), (100.0, '100'),
        (194.0, '190'), (12345.0, '12000'), (999999.0, '1000000'), (123456789012.0, '120000000000'), (null, null)
    ) as listed (number, expected)

),

computed as (

    select
        number,
        expected,
        {{ two_digits('number') }} as found
    from fixture

)

select *
from computed
where found is distinct from expected
