-- Grain: one row per occupation, and one `unattributed` row.
with occupations as (

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

-- The only float is the last division: numerators are whole, and sum to the published total times the denominator.
allocated as (

    select
        allocation.onet_soc_code,
        max(allocation.weight_denominator) as denominator,
        count(*) as n_tasks,
        count(usage.n_conversations) as n_tasks_published,
        sum(cast(usage.n_conversations as {{ type_exact_integer() }}) * allocation.weight_numerator) as numerator,
        cast(sum(usage.n_support_conversations) as bigint) as n_support_conversations,
        max(usage.n_accounts_at_least) as n_accounts_at_least,
        max(case when allocation.n_holders > 1 and usage.status <> 'published' then 1 else 0 end) = 1 as has_withheld_shared_task
    from allocation
    inner join usage
        on allocation.task_id = usage.task_id
    group by allocation.onet_soc_code

),

counted as (

    select
        occupations.onet_soc_code,
        occupations.title,
        occupations.soc_major_code,
        occupations.job_zone,
        coalesce(allocated.n_tasks, 0) as n_tasks,
        coalesce(allocated.n_tasks_published, 0) as n_tasks_published,
        {{ from_numerator('allocated.numerator', 'allocated.denominator') }} as n_conversations,
        allocated.n_support_conversations,
        allocated.n_accounts_at_least,
        residuals.n_conversations as n_conversations_residual,
        (residuals.status = 'published' or allocated.n_tasks = allocated.n_tasks_published)
        and not allocated.has_withheld_shared_task as is_complete
    from occupations
    left join allocated
        on occupations.onet_soc_code = allocated.onet_soc_code
    left join residuals
        on
            residuals.residual_level = 'occupation'
            and occupations.onet_soc_code = residuals.unit

    union all

    select
        'unattributed' as onet_soc_code,
        'Unattributed' as title,
        null as soc_major_code,
        null as job_zone,
        null as n_tasks,
        null as n_tasks_published,
        cast(sum(n_conversations) as double) as n_conversations,
        cast(sum(n_support_conversations) as bigint) as n_support_conversations,
        max(n_accounts_at_least) as n_accounts_at_least,
        null as n_conversations_residual,
        false as is_complete
    from residuals
    where residual_level <> 'occupation'

),

final as (

    select
        run.release_id,
        run.taxonomy_release,
        run.soc_vintage,
        counted.onet_soc_code,
        counted.title,
        counted.soc_major_code,
        cast(counted.job_zone as integer) as job_zone,
        cast(counted.n_tasks as bigint) as n_tasks,
        cast(counted.n_tasks_published as bigint) as n_tasks_published,
        coalesce(counted.is_complete, false) as is_complete,
        case when counted.n_tasks = 0 then 'not_applicable' else {{ status_of('counted.n_support_conversations') }} end as status,
        counted.n_conversations,
        counted.n_support_conversations,
        counted.n_accounts_at_least,
        counted.n_conversations_residual,
        case when counted.onet_soc_code <> 'unattributed' then {{ share('counted.n_conversations', 'published.n_conversations') }} end as share_of_published_tasks,
        case when counted.onet_soc_code <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'lower') }} end as share_of_published_tasks_lower,
        case when counted.onet_soc_code <> 'unattributed' then {{ wilson('counted.n_conversations', 'published.n_conversations', 'upper') }} end as share_of_published_tasks_upper,
        {{ share_columns('share_of_classified', with_residual('counted'), 'classified.n_conversations') }}
    from counted
    cross join run
    cross join published
    cross join classified

)

select * from final
