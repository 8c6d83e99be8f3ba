-- Margins first: a column of a table by country is a safe block over all countries, or it is no column.
{{ config(group='private_side', enabled=not is_imported()) }}
with policy as (

    select * from {{ ref('wall_policy') }}

),

columns_counted as (

    select
        table_name || ' ' || column_key as line,
        account,
        sum(n) as n
    from {{ ref('wall_geography_cells') }}
    where table_name in ('category', 'pattern')
    group by 1, 2

),

ranked as (

    select
        line,
        account,
        n,
        row_number() over (partition by line order by n desc, account asc) as place
    from columns_counted

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

)

select line from ({{ rows_not_a_safe_block('blocks', 'policy') }}) as unsafe
