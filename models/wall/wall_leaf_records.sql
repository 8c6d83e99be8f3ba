-- Grain: one row per block of wall_blocks and conversation that is counted in it. A view: it costs a build nothing.
{#
    Publishing keeps these rows privately (economic_index.release.records), so that a later correction can be judged by who
    was added and who was removed. Each conversation is placed as the models place it that count the block; that the
    two agree, records and all, is tested (tests/python/test_release_records.py).
    `side` names the partition that the block is of: within a side a conversation is in one block at most.
#}
{{ config(materialized='view') }}
with
{{ geography_placed() }}

{{ region_placed() }}

holders as (

    select * from geography_holders

),

closure as (

    select * from {{ ref('wall_family_closure') }}

),

placed as (

    select
        wall.input_row,
        wall.account,
        {{ record_key('wall.record') }} as record,
        wall.task_id,
        wall.collaboration_pattern,
        wall.model,
        case when wall.is_extended_thinking then 'yes' when not wall.is_extended_thinking then 'no' end as thinking,
        spine.block,
        spine.block like 'task|%' as is_task_published,
        {{ soc_group_of_block('spine', 'holders') }} as soc_group
    from {{ ref('wall_conversations') }} as wall
    inner join {{ ref('wall_spine') }} as spine
        on
            wall.task_id = spine.task_id
            and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
    inner join holders
        on wall.task_id = holders.task_id
    where
        wall.outcome = 'classified'
        and spine.block is not null

),

asked as (

    select
        facet,
        coalesce(is_generic_mart, false) as is_generic_mart
    from {{ ref('facets') }}
    where
        facet in ('work_use', 'coursework_use', 'personal_use')
        or (is_generic_mart and answer_type in ('choice', 'ordinal', 'flag'))

),

labelled as (

    select
        placed.account,
        placed.record,
        placed.soc_group,
        asked.facet,
        asked.is_generic_mart,
        labels.option_id
    from placed
    cross join asked
    left join {{ ref('fct_conversation_labels') }} as labels
        on
            placed.input_row = labels.input_row
            and asked.facet = labels.facet

),

-- One row per family, parent, child and conversation, with the rest that it belongs to when it is hidden there.
family_records as (

    select
        'model' as family,
        cast(task_id as {{ dbt.type_string() }}) as parent,
        model as child,
        'model' as side,
        'model' as rest,
        is_task_published as is_in_family,
        account,
        record
    from placed

    union all

    select
        'thinking' as family,
        cast(task_id as {{ dbt.type_string() }}) as parent,
        thinking as child,
        'thinking' as side,
        'thinking' as rest,
        is_task_published as is_in_family,
        account,
        record
    from placed

    union all

    select
        'composition' as family,
        facet || '|' || soc_group as parent,
        option_id as child,
        'composition|' || facet as side,
        facet as rest,
        true as is_in_family,
        account,
        record
    from labelled
    where facet in ('work_use', 'coursework_use', 'personal_use')

    union all

    select
        'facet' as family,
        facet as parent,
        option_id as child,
        'facet|' || facet as side,
        null as rest,
        true as is_in_family,
        account,
        record
    from labelled
    where is_generic_mart

    union all

    select
        'outcome' as family,
        'all' as parent,
        outcome as child,
        'outcome' as side,
        null as rest,
        true as is_in_family,
        account,
        {{ record_key('record') }} as record
    from {{ ref('wall_conversations') }}
    where outcome <> 'classified'

),

closed_records as (

    select
        family_records.*,
        closure.block
    from family_records
    left join closure
        on
            family_records.is_in_family
            and family_records.family = closure.family
            and family_records.parent = closure.parent
            and family_records.child is not distinct from closure.child

),

hidden_records as (

    select
        'pattern|' || soc_group as rest,
        collaboration_pattern as child,
        account,
        record
    from placed
    where
        block not like 'task|%'
        or block like 'task|%|*'

    union all

    select
        rest,
        child,
        account,
        record
    from closed_records
    where
        rest is not null
        and (block is null or block = '*')

),

rest_records as (

    select
        hidden_records.*,
        closure.block
    from hidden_records
    inner join {{ ref('wall_rest_closure') }} as closure
        on
            hidden_records.rest = closure.parent
            and hidden_records.child is not distinct from closure.child

),

last_rest_records as (

    select
        rest_records.account,
        rest_records.record,
        closure.block
    from rest_records
    inner join {{ ref('wall_last_rest_closure') }} as closure
        on rest_records.child is not distinct from closure.child
    where
        rest_records.rest like 'pattern|%'
        and (rest_records.block is null or rest_records.block = '*')

),

geography_records as (

    select
        'category' as table_name,
        unit,
        soc_group as column_key,
        account,
        record
    from geography_placed

    union all

    select
        'pattern' as table_name,
        unit,
        collaboration_pattern as column_key,
        account,
        record
    from geography_placed
    where collaboration_pattern is not null

),

geography_closure as (

    select
        'category' as table_name,
        row_key,
        column_key,
        is_own
    from {{ ref('wall_geography_category_closure') }}

    union all

    select
        'pattern' as table_name,
        row_key,
        column_key,
        is_own
    from {{ ref('wall_geography_pattern_closure') }}

),

final as (

    select
        'spine' as side,
        'spine|' || block as block_id,
        account,
        record
    from placed

    union all

    select
        side,
        family || '|' || parent || '|' || block as block_id,
        account,
        record
    from closed_records
    where block is not null

    union all

    select
        'rest|' || split_part(rest, '|', 1) as side,
        'rest|' || rest || '|' || block as block_id,
        account,
        record
    from rest_records
    where block is not null

    union all

    select
        'last_rest|pattern' as side,
        'last_rest|pattern|' || block as block_id,
        account,
        record
    from last_rest_records
    where block is not null

    union all

    select
        'multi_label|' || options.facet || '|' || options.option_id as side,
        'multi_label|' || options.facet || '|' || options.option_id as block_id,
        placed.account,
        placed.record
    from {{ ref('wall_multi_label') }} as options
    inner join {{ ref('fct_conversation_labels') }} as labels
        on
            options.facet = labels.facet
            and options.option_id = labels.option_id
    inner join placed
        on labels.input_row = placed.input_row
    where options.is_safe

    union all

    select
        'geography_' || records.table_name as side,
        'geography_' || records.table_name || '|' || records.unit || '|'
        || case when closure.is_own then records.column_key else '*' end as block_id,
        records.account,
        {{ record_key('records.record') }} as record
    from geography_records as records
    inner join geography_closure as closure
        on
            records.table_name = closure.table_name
            and records.unit = closure.row_key
            and records.column_key = closure.column_key

    union all

    select
        'region' as side,
        'region|' || region_closure.country_code || '|' || region_closure.block as block_id,
        region_records.account,
        {{ record_key('region_records.record') }} as record
    from region_placed as region_records
    inner join {{ ref('wall_region_closure') }} as region_closure
        on
            region_records.country_code = region_closure.country_code
            and region_records.region_code = region_closure.region_code
    where region_closure.block is not null

    union all

    -- Whoever has no row of their own there is part of the rest of the country.
    select
        'region' as side,
        'region|' || region_closure.country_code || '|' || region_closure.block as block_id,
        region_records.account,
        {{ record_key('region_records.record') }} as record
    from region_placed as region_records
    left join {{ ref('wall_region_closure') }} as own_closure
        on
            region_records.country_code = own_closure.country_code
            and region_records.region_code = own_closure.region_code
    inner join {{ ref('wall_region_closure') }} as region_closure
        on
            region_records.country_code = region_closure.country_code
            and region_closure.region_code = 'other'
    where
        own_closure.country_code is null
        and region_closure.block is not null

)

select * from final
