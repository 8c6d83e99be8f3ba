-- Patterns and skills stand in two files each: as options of their facet and with their own columns. Both must agree.
with options as (

    select * from {{ ref('facet_options') }}

),

patterns as (

    select
        'collaboration_pattern' as facet,
        pattern as option_id,
        label,
        pattern_group as option_group,
        position
    from {{ ref('collaboration_patterns') }}

),

skills as (

    select
        'skill' as facet,
        skill as option_id,
        label,
        cast(null as {{ dbt.type_string() }}) as option_group,
        position
    from {{ ref('skills') }}

),

vocabularies as (

    select * from patterns
    union all
    select * from skills

),

listed as (

    select
        facet,
        option_id,
        label,
        option_group,
        position
    from options
    where facet in ('collaboration_pattern', 'skill')

)

select
    coalesce(listed.facet, vocabularies.facet) as facet,
    coalesce(listed.option_id, vocabularies.option_id) as option_id
from listed
full outer join vocabularies
    on
        listed.facet = vocabularies.facet
        and listed.option_id = vocabularies.option_id
where
    listed.option_id is null
    or vocabularies.option_id is null
    or listed.label <> vocabularies.label
    or listed.position <> vocabularies.position
    or listed.option_group is distinct from vocabularies.option_group
