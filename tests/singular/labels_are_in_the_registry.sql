-- Every label is an option of its facet: of the registry, or for tasks of the taxonomy.
{{ config(group='private_side', enabled=not is_imported()) }}
with labels as (

    select distinct
        facet,
        option_id
    from {{ ref('fct_conversation_labels') }}

),

options as (

    select
        facet,
        option_id
    from {{ ref('facet_options') }}

    union all

    select
        'task' as facet,
        cast(task_id as {{ dbt.type_string() }}) as option_id
    from {{ ref('tasks') }}

    union all

    select
        'task' as facet,
        'none' as option_id

    union all

    select
        'further_task' as facet,
        cast(task_id as {{ dbt.type_string() }}) as option_id
    from {{ ref('tasks') }}

),

facets as (

    select * from {{ ref('facets') }}

)

select
    labels.facet,
    labels.option_id
from labels
left join options
    on
        labels.facet = options.facet
        and labels.option_id = options.option_id
left join facets
    on labels.facet = facets.facet
where
    options.option_id is null
    and coalesce(facets.answer_type, '') <> 'number'
