-- What a two-way table hides of a row, and of a column, is known as a sum: each such sum is a safe block of at least two
-- possible cells, or the table shows nothing.
{{ config(group='private_side', enabled=not is_imported()) }}
with policy as (

    select * from {{ ref('wall_policy') }}

),

closure as (

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

cells as (

    select
        cells.table_name,
        cells.row_key,
        cells.column_key,
        cells.account,
        cells.n
    from {{ ref('wall_geography_cells') }} as cells
    inner join closure
        on
            cells.table_name = closure.table_name
            and cells.row_key = closure.row_key
            and cells.column_key = closure.column_key
    where not closure.is_own

),

lines as (

    select
        table_name || ' row ' || row_key as line,
        account,
        sum(n) as n
    from cells
    group by 1, 2

    union all

    select
        table_name || ' column ' || column_key as line,
        account,
        sum(n) as n
    from cells
    group by 1, 2

),

ranked as (

    select
        line,
        account,
        n,
        row_number() over (partition by line order by n desc, account asc) as place
    from lines

),

blocks as (

    select
        line,
        sum(n) as n,
        count(*) as n_accounts,
        sum(case when place = 1 then n else 0 end) as n_largest,
        sum(case when place in (1, 2) then n else 0 end) as n_two_largest
    from ranked
    group by line

),

-- A column can be hidden in every row, a row in every column of the table.
sides as (

    select
        table_name,
        count(distinct row_key) as n_rows,
        case when table_name = 'pattern' then 7 else (select count(*) + 1 from {{ ref('soc_major_groups') }}) end as n_columns
    from closure
    group by table_name

),

shown as (

    select
        table_name,
        'row ' || row_key as line,
        sum(case when is_own then 1 else 0 end) as n_own,
        sum(case when is_own then 0 else 1 end) as n_hidden
    from closure
    group by 1, 2

    union all

    select
        table_name,
        'column ' || column_key as line,
        sum(case when is_own then 1 else 0 end) as n_own,
        sum(case when is_own then 0 else 1 end) as n_hidden
    from closure
    group by 1, 2

),

open_tables as (

    select table_name
    from closure
    group by table_name
    having bool_or(is_own)

)

select unsafe.line
from ({{ rows_not_a_safe_block('blocks', 'policy') }}) as unsafe
inner join open_tables
    on split_part(unsafe.line, ' ', 1) = open_tables.table_name

union all

select shown.table_name || ' ' || shown.line as line
from shown
inner join sides
    on shown.table_name = sides.table_name
inner join open_tables
    on shown.table_name = open_tables.table_name
where
    shown.n_hidden > 0
    and case when shown.line like 'row %' then sides.n_columns else sides.n_rows end - shown.n_own < 2
