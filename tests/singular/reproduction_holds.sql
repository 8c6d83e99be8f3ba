-- Every number of the paper that a release allows to recompute is held within its tolerance.
{{ config(enabled=is_imported()) }}
select
    number_id,
    reference_value,
    value
from {{ ref('reproduction') }}
where
    outcome <> 'not_reproducible'
    and outcome is distinct from 'reproduced'
