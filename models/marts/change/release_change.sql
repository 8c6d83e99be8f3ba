-- Grain: one row per family and unit; none unless an earlier release is named (vars.previous_release).
{#
    Differences of released values and of nothing else: what two releases show cannot tell more when it is subtracted here
    than when a reader subtracts it. The interval of a difference is Newcombe's (1998, method 10), from the two
    Wilson intervals that the releases show.
#}
{%- set published_tasks = 'share_of_published_tasks' %}
{%- set families = [
    ('task', 'task_usage', 'task_id', 'task', published_tasks, 'true'),
    ('occupation', 'occupation_usage', 'onet_soc_code', 'title', published_tasks, "onet_soc_code <> 'unattributed'"),
    (
        'soc_major_group', 'occupation_category_usage', 'soc_major_code', 'title', published_tasks,
        "soc_major_code <> 'unattributed'"
    ),
    (
        'collaboration_pattern', 'collaboration_usage', 'collaboration_pattern', 'label', 'share_of_classified_patterns',
        "pattern_group in ('automation', 'augmentation')"
    ),
] %}
with earlier as (

    select * from {{ ref('wall_public_earlier_release') }}

),

compared_with as (

    select distinct
        release_id,
        taxonomy_release,
        window_start,
        window_end
    from earlier

),

run as (

    select * from {{ ref('wall_public_run') }}

),

present as (
    {% for family, mart, key, label, share, rows in families %}

    select
        '{{ family }}' as family,
        cast({{ key }} as {{ dbt.type_string() }}) as unit,
        {{ label }} as label,
        '{{ share | replace("share_of_", "") }}' as base,
        status,
        cast(n_conversations as double) as n_conversations,
        n_support_conversations,
        n_accounts_at_least,
        {{ share }} as share_of_base,
        {{ share }}_lower as share_of_base_lower,
        {{ share }}_upper as share_of_base_upper
    from {{ ref(mart) }}
    where {{ rows }}
    {{ "union all" if not loop.last }}
    {% endfor %}

),

paired as (

    select
        run.release_id,
        compared_with.release_id as previous_release_id,
        compared_with.window_start as previous_window_start,
        compared_with.window_end as previous_window_end,
        present.family,
        present.unit,
        present.label,
        present.base,
        -- Units of another taxonomy are other units, also where they have the same code.
        case
            when present.family <> 'collaboration_pattern' and run.taxonomy_release <> compared_with.taxonomy_release then 'not_applicable'
            when present.status = 'not_applicable' then 'not_applicable'
            when
                present.status = 'published' and earlier.status = 'published'
                and present.share_of_base is not null and earlier.share_of_base is not null then 'published'
            else 'withheld'
        end as status,
        present.n_conversations,
        earlier.n_conversations as n_conversations_previous,
        least(present.n_support_conversations, earlier.n_support_conversations) as n_support_conversations,
        least(present.n_accounts_at_least, earlier.n_accounts_at_least) as n_accounts_at_least,
        present.share_of_base,
        present.share_of_base_lower,
        present.share_of_base_upper,
        earlier.share_of_base as share_of_base_previous,
        earlier.share_of_base_lower as share_of_base_previous_lower,
        earlier.share_of_base_upper as share_of_base_previous_upper,
        present.share_of_base - earlier.share_of_base as change,
        sqrt(
            power(present.share_of_base - present.share_of_base_lower, 2)
            + power(earlier.share_of_base_upper - earlier.share_of_base, 2)
        ) as below,
        sqrt(
            power(present.share_of_base_upper - present.share_of_base, 2)
            + power(earlier.share_of_base - earlier.share_of_base_lower, 2)
        ) as above
    from present
    cross join run
    cross join compared_with
    left join earlier
        on
            present.family = earlier.family
            and present.unit = earlier.unit

),

final as (

    select
        release_id,
        previous_release_id,
        previous_window_start,
        previous_window_end,
        family,
        unit,
        label,
        base,
        status,
        case when status = 'published' then n_conversations end as n_conversations,
        case when status = 'published' then n_conversations_previous end as n_conversations_previous,
        case when status = 'published' then n_support_conversations end as n_support_conversations,
        case when status = 'published' then n_accounts_at_least end as n_accounts_at_least,
        {%- for side in ['share_of_base', 'share_of_base_previous'] %}
        {%- for end in ['', '_lower', '_upper'] %}
        case when status = 'published' then {{ side ~ end }} end as {{ side ~ end }},
        {%- endfor %}
        {%- endfor %}
        case when status = 'published' then change end as change_of_share_of_base,
        case when status = 'published' then greatest(-1.0, change - below) end as change_of_share_of_base_lower,
        case when status = 'published' then least(1.0, change + above) end as change_of_share_of_base_upper
    from paired

)

select * from final
