{#
    CTEs that end in `geography_placed` (unit, account, record, collaboration_pattern, soc_group): classified conversations
    by geographic unit and by the columns of the two tables.
#}
{% macro geography_placed() %}
    geography_holders as (

        select
            task_id,
            min(soc_major_code) as soc_major_code,
            count(distinct soc_major_code) as n_soc_major_groups
        from {{ ref('task_occupations') }}
        group by task_id

    ),

    geography_pattern_totals as (

        select
            'all' as parent,
            child,
            account,
            sum(n) as n
        from {{ ref('wall_pattern_cells') }}
        group by 1, 2, 3

    ),

    -- Margins first: a pattern that is not safe over everything has no column of its own.
    geography_pattern_margins as (

        {{ close_children('geography_pattern_totals', ref('wall_policy'), n_domain=0) }}

    ),

    geography_placed as (

        select
            margins.unit,
            wall.account,
            wall.record,
            case when pattern_margins.block = '*' then 'not_attributed' else pattern_margins.block end as collaboration_pattern,
            {{ soc_group_of_block('spine', 'holders') }} as soc_group
        from {{ ref('wall_conversations') }} as wall
        inner join {{ ref('wall_spine') }} as spine
            on
                wall.task_id = spine.task_id
                and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
        inner join geography_holders as holders
            on wall.task_id = holders.task_id
        left join {{ ref('countries') }} as countries
            on wall.country_code = countries.country_code
        inner join geography_pattern_margins as pattern_margins
            on wall.collaboration_pattern is not distinct from pattern_margins.child
        inner join {{ ref('wall_geography_margins') }} as margins
            on coalesce(countries.country_code, 'other') = margins.country_code
        where
            wall.outcome = 'classified'
            and spine.block is not null
            and margins.unit is not null

    ),
{% endmacro %}

{# SOC group of a block of the spine; never that of a hidden task. #}
{% macro soc_group_of_block(spine, holders) -%}
    case
        when {{ spine }}.block like 'occupation|%' then substr(split_part({{ spine }}.block, '|', 2), 1, 2)
        when {{ spine }}.block like 'soc|%' then split_part({{ spine }}.block, '|', 2)
        when {{ spine }}.block like 'task|%' and {{ holders }}.n_soc_major_groups = 1 then {{ holders }}.soc_major_code
        else 'several'
    end
{%- endmacro %}

{# The closing of one two-way table of wall_geography_cells; `n_columns` is the number of its possible columns. #}
{% macro geography_closure(table_name, n_columns) %}
    with cells as (

        select
            table_name,
            row_key,
            column_key,
            account,
            n
        from {{ ref('wall_geography_cells') }}
        where table_name = '{{ table_name }}'

    ),

    closed as (

        {{ close_table('cells', ref('wall_policy'), n_columns=n_columns) }}

    ),

    final as (

        select
            row_key,
            column_key,
            is_own
        from closed

    )

    select * from final
{% endmacro %}

{#
    Public door of one two-way table: every listed unit by every column of `columns_sql` (column_key), and `not_attributed`,
    which adds up what a unit hides and, for patterns, the column of those that are not safe over everything.
#}
{% macro geography_door(table_name, column, columns_sql) %}
    with units as (

        select country_code from {{ ref('countries') }}

        union all

        select 'other' as country_code

    ),

    columns_listed as (

        {{ columns_sql }}

    ),

    listed as (

        select
            units.country_code,
            columns_listed.column_key,
            columns_listed.column_key as block_key
        from units
        cross join columns_listed

        union all

        select
            units.country_code,
            'not_attributed' as column_key,
            hidden.block_key
        from units
        cross join (
            select '*' as block_key
            union all
            select 'not_attributed' as block_key
        ) as hidden

    ),

    blocks as (

        select * from {{ door('blocks') }}

    ),

    draws as (

        select * from {{ door('draws') }}

    ),

    counted as (

        select
            listed.country_code,
            listed.column_key,
            cast(sum(draws.n_rounded) as bigint) as n_conversations,
            max(case when draws.block_id is not null then {{ account_band('blocks.n_accounts') }} end) as n_accounts_at_least
        from listed
        left join blocks
            on 'geography_{{ table_name }}|' || listed.country_code || '|' || listed.block_key = blocks.block_id
        left join draws
            on blocks.block_id = draws.block_id
        group by 1, 2

    ),

    final as (

        select
            country_code,
            column_key as {{ column }},
            case when n_conversations is not null then 'published' else 'withheld' end as status,
            n_conversations,
            n_conversations as n_support_conversations,
            cast(n_accounts_at_least as bigint) as n_accounts_at_least
        from counted

    )

    select * from final
{% endmacro %}

{#
    Mart of one two-way table: cells of published units with shares of the unit. `labels` is the relation that names a column:
    joined by `key`, its `title` becomes `label`.
#}
{% macro geography_table(cells, column, labels, key, title, label) %}
    with cells as (

        select * from {{ cells }}

    ),

    run as (

        select * from {{ ref('wall_public_run') }}

    ),

    totals as (

        select
            country_code,
            sum(n_conversations) as n_conversations
        from cells
        group by country_code
        having sum(n_conversations) is not null

    ),

    final as (

        select
            run.release_id,
            cells.country_code,
            cells.{{ column }},
            coalesce(listed.{{ title }}, case cells.{{ column }} when 'several' then 'Tasks of several groups' else 'Not attributed' end) as {{ label }},
            cells.status,
            cells.n_conversations,
            cells.n_support_conversations,
            cells.n_accounts_at_least,
            {{ share_columns('share_of_country', 'cells.n_conversations', 'totals.n_conversations') }}
        from cells
        inner join totals
            on cells.country_code = totals.country_code
        left join {{ labels }} as listed
            on cells.{{ column }} = listed.{{ key }}
        cross join run

    )

    select * from final
{% endmacro %}

{# CTE `region_placed` (country_code, region_code, account, record): conversations of shown countries by known region. #}
{% macro region_placed() %}
    region_placed as (

        select
            margins.unit as country_code,
            regions.region_code,
            wall.account,
            wall.record
        from {{ ref('wall_conversations') }} as wall
        inner join {{ ref('wall_spine') }} as spine
            on
                wall.task_id = spine.task_id
                and wall.collaboration_pattern is not distinct from spine.collaboration_pattern
        inner join {{ ref('wall_geography_margins') }} as margins
            on
                wall.country_code = margins.country_code
                and wall.country_code = margins.unit
        left join {{ ref('regions') }} as regions
            on
                wall.region_code = regions.region_code
                and wall.country_code = regions.country_code
        where
            wall.outcome = 'classified'
            and spine.block is not null

    ),
{% endmacro %}
