-- Grain: one row per earlier release, mart and cell that may have changed; cell '*' stands for all other cells of the mart.
{#
    `economic-index publish --corrects` changes a cell only if what was added to it and what was removed from it are each
    empty or safe (wall_correction_moves). A cell of one block has a row of its own; cells that sum blocks of several kinds
    need all changes of those kinds to be safe. A cell without any row has not changed, or is refused.
#}
{%- set roll_ups = {
    'task_collaboration_usage': ['spine'],
    'collaboration_usage': ['spine', 'rest|pattern', 'last_rest|pattern'],
    'category_collaboration_usage': ['spine', 'rest|pattern'],
    'occupation_category_usage': ['spine'],
    'usage_by_unit': ['spine'],
    'model_usage': ['model', 'rest|model'],
    'geography_usage': ['geography_category'],
} %}
with moves as (

    select * from {{ ref('wall_correction_moves') }}

),

sides_of_blocks as (

    select
        previous_release_id,
        side,
        case when side like 'multi_label|%' then side else block_now end as block_id,
        is_safe as is_added_safe,
        true as is_removed_safe
    from moves
    where block_now <> 'nothing'

    union all

    select
        previous_release_id,
        side,
        case when side like 'multi_label|%' then side else block_before end as block_id,
        true as is_added_safe,
        is_safe as is_removed_safe
    from moves
    where block_before <> 'nothing'

),

blocks as (

    select
        previous_release_id,
        side,
        replace(block_id, '|*', '|not_attributed') as block_id,
        bool_and(is_added_safe) as is_added_safe,
        bool_and(is_removed_safe) as is_removed_safe
    from sides_of_blocks
    group by 1, 2, 3

),

single_cells as (

    select
        previous_release_id,
        'task_collaboration_usage' as mart,
        split_part(block_id, '|', 3) || '|pattern|' || split_part(block_id, '|', 4) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where block_id like 'spine|task|%'

    union all

    select
        previous_release_id,
        'occupation_usage' as mart,
        split_part(block_id, '|', 3) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where block_id like 'spine|occupation|%'

    union all

    select
        previous_release_id,
        'outcome_totals' as mart,
        case when block_id = 'outcome|all|not_attributed' then 'other' else split_part(block_id, '|', 3) end as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side = 'outcome'

    union all

    select
        previous_release_id,
        'skill_usage' as mart,
        split_part(block_id, '|', 3) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side like 'multi_label|skill|%'

    union all

    select
        previous_release_id,
        'facet_usage' as mart,
        split_part(block_id, '|', 2) || '|' || split_part(block_id, '|', 3) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where
        side like 'facet|%'
        or (side like 'multi_label|%' and side not like 'multi_label|skill|%')

    union all

    select
        previous_release_id,
        'conversation_composition' as mart,
        split_part(block_id, '|', 2) || '|' || split_part(block_id, '|', 3) || '|' || split_part(block_id, '|', 4) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side like 'composition|%'

    union all

    select
        previous_release_id,
        'thinking_usage' as mart,
        split_part(block_id, '|', 2) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side = 'thinking'

    union all

    select
        previous_release_id,
        case when side = 'geography_category' then 'geography_category_usage' else 'geography_collaboration_usage' end as mart,
        split_part(block_id, '|', 2) || '|' || split_part(block_id, '|', 3) as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side in ('geography_category', 'geography_pattern')

    union all

    select
        previous_release_id,
        'region_usage' as mart,
        split_part(block_id, '|', 2) || '|'
        || replace(split_part(block_id, '|', 3), 'not_attributed', 'other') as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side = 'region'

),

roll_ups as (
    {% for mart, sides in roll_ups.items() %}

    select
        previous_release_id,
        '{{ mart }}' as mart,
        '*' as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side in ('{{ sides | join("', '") }}')

    union all
    {% endfor %}

    select
        previous_release_id,
        'outcome_totals' as mart,
        'classified' as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where side = 'spine'

    union all

    -- Answers over all groups: single groups and the rests.
    select
        previous_release_id,
        'conversation_composition' as mart,
        '*' as cell,
        is_added_safe,
        is_removed_safe
    from blocks
    where
        side like 'composition|%'
        or side in ('rest|work_use', 'rest|coursework_use', 'rest|personal_use')

),

unioned as (

    select * from single_cells

    union all

    select * from roll_ups

),

final as (

    select
        previous_release_id,
        mart,
        cell,
        bool_and(is_added_safe) as is_added_safe,
        bool_and(is_removed_safe) as is_removed_safe
    from unioned
    group by 1, 2, 3

)

select * from final
