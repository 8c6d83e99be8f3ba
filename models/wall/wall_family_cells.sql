-- Grain: one row per family, parent, child and account: every table beside the spine, split into closable parents.
{#
    family        parent                                  child
    model         task (published in the spine only)      model
    thinking      task (published in the spine only)      extended thinking yes or no
    composition   facet and SOC group of the block        option of work_use, coursework_use, personal_use
    facet         facet                                   option of a generic facet of the registry
    outcome       all                                     outcome other than classified

    The SOC group of a composition cell is that of the block in the spine, never that of the hidden task: so no group's
    total can be compared with the spine's to learn how much of it lies in the global residual.
#}
with conversations as (

    select * from {{ ref('wall_conversations') }}

),

spine as (

    select * from {{ ref('wall_spine') }}

),

labels as (

    select * from {{ ref('fct_conversation_labels') }}

),

facets as (

    select * from {{ ref('facets') }}

),

holders as (

    select
        task_id,
        min(soc_major_code) as soc_major_code,
        count(distinct soc_major_code) as n_soc_major_groups
    from {{ ref('task_occupations') }}
    group by task_id

),

placed as (

    select
        conversations.input_row,
        conversations.account,
        conversations.task_id,
        conversations.model,
        conversations.is_extended_thinking,
        conversations.record,
        spine.block like 'task|%' as is_task_published,
        case
            when spine.block like 'occupation|%' then substr(split_part(spine.block, '|', 2), 1, 2)
            when spine.block like 'soc|%' then split_part(spine.block, '|', 2)
            when spine.block like 'task|%' and holders.n_soc_major_groups = 1 then holders.soc_major_code
            else 'several'
        end as soc_group
    from conversations
    inner join spine
        on
            conversations.task_id = spine.task_id
            and conversations.collaboration_pattern is not distinct from spine.collaboration_pattern
    inner join holders
        on conversations.task_id = holders.task_id
    where
        conversations.outcome = 'classified'
        and spine.block is not null

),

asked as (

    select
        facet,
        coalesce(is_generic_mart, false) as is_generic_mart
    from facets
    where
        facet in ('work_use', 'coursework_use', 'personal_use')
        or (is_generic_mart and answer_type in ('choice', 'ordinal', 'flag'))

),

-- A conversation without an answer stays in, as the child null: left out, it would be the difference of two tables.
labelled as (

    select
        placed.account,
        placed.soc_group,
        placed.record,
        asked.facet,
        labels.option_id,
        asked.is_generic_mart
    from placed
    cross join asked
    left join labels
        on
            placed.input_row = labels.input_row
            and asked.facet = labels.facet

),

-- Each family is counted by its own narrow columns first; the common text keys are put on afterwards.
model_cells as (

    {{ cell_accounts('placed', 'task_id', 'model', 'is_task_published') }}

),

thinking_cells as (

    {{ cell_accounts('placed', 'task_id', 'is_extended_thinking', 'is_task_published') }}

),

label_cells as (

    select
        facet,
        soc_group,
        option_id,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from labelled
    where facet in ('work_use', 'coursework_use', 'personal_use')
    group by 1, 2, 3, 4

),

facet_cells as (

    {{ cell_accounts('labelled', 'facet', 'option_id', 'is_generic_mart') }}

),

outcome_cells as (

    {{ cell_accounts('conversations', "'all'", 'outcome', "outcome <> 'classified'") }}

),

final as (

    select
        'model' as family,
        cast(parent as {{ dbt.type_string() }}) as parent,
        child,
        account,
        n,
        digest
    from model_cells

    union all

    select
        'thinking' as family,
        cast(parent as {{ dbt.type_string() }}) as parent,
        case when child then 'yes' when not child then 'no' end as child,
        account,
        n,
        digest
    from thinking_cells

    union all

    select
        'composition' as family,
        facet || '|' || soc_group as parent,
        option_id as child,
        account,
        n,
        digest
    from label_cells

    union all

    select
        'facet' as family,
        parent,
        child,
        account,
        n,
        digest
    from facet_cells

    union all

    select
        'outcome' as family,
        parent,
        child,
        account,
        n,
        digest
    from outcome_cells

)

select * from final
