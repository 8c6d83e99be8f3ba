-- Nothing is counted twice or left out beside the spine: the cells of every family, of the countries and of what is hidden
-- add up to the conversations that they split.
{{ config(group='private_side', enabled=not is_imported()) }}
with spine as (

    select
        coalesce(sum(n), 0) as n,
        coalesce(sum(case when block_level = 'task' then n end), 0) as n_of_tasks,
        coalesce(sum(case when block_level <> 'task' or collaboration_pattern = '*' then n end), 0) as n_hidden
    from {{ ref('wall_spine_blocks') }}

),

asked as (

    select facet
    from {{ ref('facets') }}
    where
        facet in ('work_use', 'coursework_use', 'personal_use')
        or (is_generic_mart and answer_type in ('choice', 'ordinal', 'flag'))

),

family_sums as (

    select
        family,
        case when family in ('composition', 'facet') then split_part(parent, '|', 1) end as facet,
        sum(n) as n
    from {{ ref('wall_family_cells') }}
    where family <> 'outcome'
    group by 1, 2

),

shown_children as (

    select
        cells.family,
        sum(cells.n) as n
    from {{ ref('wall_family_cells') }} as cells
    inner join {{ ref('wall_family_closure') }} as closure
        on
            cells.family = closure.family
            and cells.parent = closure.parent
            and cells.child = closure.child
    where closure.block = closure.child
    group by cells.family

),

hidden_sums as (

    select
        case when rest like 'pattern|%' then 'pattern' else rest end as rest,
        sum(n) as n
    from {{ ref('wall_hidden_cells') }}
    group by 1

),

expected as (

    select
        'cells of ' || family as part,
        family_sums.n,
        case when family in ('model', 'thinking') then spine.n_of_tasks else spine.n end as n_expected
    from family_sums
    cross join spine

    union all

    select
        'cells of facet ' || asked.facet as part,
        coalesce(sum(family_sums.n), 0) as n,
        min(spine.n) as n_expected
    from asked
    cross join spine
    left join family_sums
        on asked.facet = family_sums.facet
    group by asked.facet

    union all

    select
        'hidden patterns' as part,
        coalesce(hidden_sums.n, 0) as n,
        spine.n_hidden as n_expected
    from spine
    left join hidden_sums
        on hidden_sums.rest = 'pattern'

    union all

    select
        'hidden and shown ' || families.family as part,
        coalesce(hidden_sums.n, 0) + coalesce(shown_children.n, 0) as n,
        spine.n as n_expected
    from (
        select 'model' as family
        union all
        select 'thinking' as family
    ) as families
    cross join spine
    left join hidden_sums
        on families.family = hidden_sums.rest
    left join shown_children
        on families.family = shown_children.family

    union all

    select
        'countries by ' || cells.table_name as part,
        sum(cells.n) as n,
        min(spine.n) as n_expected
    from {{ ref('wall_geography_cells') }} as cells
    cross join spine
    where cells.table_name in ('category', 'pattern')
    group by cells.table_name

)

select *
from expected
where
    -- Patterns without an answer are no row of a country.
    case when part = 'countries by pattern' then not n <= n_expected else not coalesce(n = n_expected, false) end
