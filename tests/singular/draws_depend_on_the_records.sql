-- Blocks of the spine share no conversation, so no two of them have the same digest: a draw that two blocks shared could be
-- subtracted out.
{{ config(group='private_side', enabled=not is_imported()) }}
select
    record_digest,
    count(*) as n_blocks
from {{ ref('wall_draws_wanted') }}
where block_id like 'spine|%'
group by record_digest
having
    count(*) > 1
    or length(record_digest) <> 32
    or record_digest is null
