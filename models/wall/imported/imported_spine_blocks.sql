-- Grain: one row per block of an imported release: its tasks, its residuals, and what no task of the taxonomy takes.
with tasks as (

    select * from {{ ref('tasks') }}

),

occupations as (

    select * from {{ ref('occupations') }}

),

groups as (

    select * from {{ ref('soc_major_groups') }}

),

published as (

    select
        md5(lower({{ normalised_text('task_name') }})) as task_key,
        n_conversations
    from {{ imported_table('tasks') }}

),

residuals as (

    select * from {{ imported_table('residuals') }}

),

-- A task or unit that the installed taxonomy does not know keeps its conversations: they are nobody's, so global.
counted as (

    select
        tasks.task_id,
        cast(null as {{ dbt.type_string() }}) as onet_soc_code,
        cast(null as {{ dbt.type_string() }}) as soc_major_code,
        published.n_conversations
    from published
    left join tasks
        on published.task_key = tasks.task_key

    union all

    select
        cast(null as bigint) as task_id,
        occupations.onet_soc_code,
        groups.soc_major_code,
        residuals.n_conversations
    from residuals
    left join occupations
        on
            residuals.residual_level = 'occupation'
            and residuals.unit = occupations.onet_soc_code
    left join groups
        on
            residuals.residual_level = 'soc_major_group'
            and residuals.unit = groups.soc_major_code

),

placed as (

    select
        case
            when task_id is not null then 'task'
            when onet_soc_code is not null then 'occupation'
            when soc_major_code is not null then 'soc'
            else 'global'
        end as block_level,
        task_id,
        onet_soc_code,
        soc_major_code,
        cast(sum(n_conversations) as bigint) as n
    from counted
    group by 1, 2, 3, 4

),

final as (

    select
        case block_level
            when 'task' then 'task|' || cast(task_id as {{ dbt.type_string() }}) || '|*'
            when 'occupation' then 'occupation|' || onet_soc_code
            when 'soc' then 'soc|' || soc_major_code
            else 'global|*'
        end as block,
        block_level,
        task_id,
        case when block_level = 'task' then '*' end as collaboration_pattern,
        onet_soc_code,
        soc_major_code,
        n,
        -- The release says that every count passed its own floor; how many accounts stand behind it, it does not say.
        {{ floor_accounts() }} as n_accounts
    from placed
    where n >= {{ floor_conversations() }}

)

select * from final
