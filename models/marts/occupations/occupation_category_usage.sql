-- Grain: one row per SOC major group, and one `unattributed` row.
with groups as (

    select * from {{ ref('soc_major_groups') }}

),

occupations as (

    select * from {{ ref('occupations') }}

),

allocation as (

    select * from {{ ref('task_allocation') }}

),

usage as (

    select * from {{ ref('wall_public_tasks') }}

),

residuals as (

    select * from {{ ref('wall_public_residuals') }}
    where status = 'published'

),

run as (

    select * from {{ ref('wall_public_run') }}

),

published as (

    select cast(sum(n_conversations) as bigint) as n_conversations from usage

),

classified as (

    select n_conversations
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

employed as (

    select sum(n_employed) as n_employed from groups

),

group_weights as (

    select
        allocation.task_id,
        allocation.soc_major_code,
        max(allocation.weight_denominator) as denominator,
        max(allocation.n_holders) as n_holders,
        count(*) as n_holders_in_group,
        sum(allocation.weight_numerator) as weight_numerator
    from allocation
    group by 1, 2

),

allocated as (

    select
        group_weights.soc_major_code,
        max(group_weights.denominator) as denominator,
        count(*) as n_tasks,
        count(usage.n_conversations) as n_tasks_published,
        sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * group_weights.weight_numerator) as numerator,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least,
        max(case when group_weights.n_holders > group_weights.n_holders_in_group and usage.status <> 'published' then 1 else 0 end) = 1
            as has_withheld_shared_task
    from group_weights
    inner join usage
        on group_weights.task_id = usage.task_id
    group by group_weights.soc_major_code

),

group_residuals as (

    select
        case when residual_level = 'occupation' then substr(unit, 1, 2) else unit end as soc_major_code,
        cast(sum(n_conversations) as bigint) as n_conversations,
        max(case when residual_level = 'soc_major_group' then 1 else 0 end) = 1 as has_own_residual
    from residuals
    where residual_level <> 'global'
    group by 1

),

occupation_counts as (

    select
        soc_major_code,
        count(*) as n_occupations
    from occupations
    group by soc_major_code

),

counted as (

    select
        groups.soc_major_code,
        groups.title,
        groups.n_employed,
        coalesce(occupation_counts.n_occupations, 0) as n_occupations,
        coalesce(allocated.n_tasks, 0) as n_tasks,
        coalesce(allocated.n_tasks_published, 0) as n_tasks_published,
        {{ from_numerator('allocated.numerator', 'allocated.denominator') }} as n_conversations,
        allocated.n_support_conversations,
        allocated.n_accounts_at_least,
        group_residuals.n_conversations as n_conversations_residual,
        (coalesce(group_residuals.has_own_residual, false) or allocated.n_tasks = allocated.n_tasks_published)
        and not allocated.has_withheld_shared_task as is_complete
    from groups
    left join allocated
        on groups.soc_major_code = allocated.soc_major_code
    left join group_residuals
        on groups.soc_major_code = group_residuals.soc_major_code
    left join occupation_counts
        on groups.soc_major_code = occupation_counts.soc_major_code

    union all

    select
        'unattributed' as soc_major_code,
        'Unattributed' as title,
        null as n_employed,
        null as n_occupations,
        null as n_tasks,
        null as n_tasks_published,
        cast(sum(n_conversations) as double) as n_conversations,
        cast(sum(n_support_conversations) as bigint) as n_support_conversations,
        max(n_accounts_at_least) as n_accounts_at_least,
        null as n_conversations_residual,
        false as is_complete
    from residuals
    where residual_level = 'global'

),

shared as (

    select
        counted.*,
        case when counted.soc_major_code <> 'unattributed' then {{ share('counted.n_conversations', 'published.n_conversations') }} end as share_of_published_tasks,
        case when counted.soc_major_code <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'lower') }} end as share_of_published_tasks_lower,
        case when counted.soc_major_code <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'upper') }} end as share_of_published_tasks_upper,
        {{ share_columns('share_of_classified', with_residual('counted'), 'classified.n_conversations') }},
        {{ share('counted.n_employed', 'employed.n_employed') }} as share_of_us_employment
    from counted
    cross join published
    cross join classified
    cross join employed

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        shared.soc_major_code,
        shared.title,
        cast(shared.n_occupations as bigint) as n_occupations,
        cast(shared.n_tasks as bigint) as n_tasks,
        cast(shared.n_tasks_published as bigint) as n_tasks_published,
        coalesce(shared.is_complete, false) as is_complete,
        case when shared.n_tasks = 0 then 'not_applicable' else {{ status_of('shared.n_support_conversations') }} end as status,
        shared.n_conversations,
        shared.n_support_conversations,
        shared.n_accounts_at_least,
        shared.n_conversations_residual,
        shared.share_of_published_tasks,
        shared.share_of_published_tasks_lower,
        shared.share_of_published_tasks_upper,
        shared.share_of_classified,
        shared.share_of_classified_lower,
        shared.share_of_classified_upper,
        shared.share_of_us_employment,
        shared.share_of_published_tasks / nullif(shared.share_of_us_employment, 0) as ratio_of_usage_to_employment
    from shared
    cross join run

)

select * from final
