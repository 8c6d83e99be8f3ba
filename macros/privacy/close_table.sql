{#
    Closes a two-way table whose row totals and column totals are known to the reader: geography by category.

    `cells` has (row_key, column_key, account, n). A cell stands alone if it is safe. What is hidden of a row, and what is
    hidden of a column, is known as a sum (total minus what is shown), so each such sum must be a safe block over at least
    two possible cells; where it is not, the smallest cell of that row or column that still stands alone is hidden as
    well. Hiding one cell can open another line, so rows and columns take turns, `n_passes` times. If any line is still
    open then, nothing of the table is shown: a table is never published on hope.
    Margins must be thresholded before: rows and columns that are not safe as a whole do not belong in `cells`.

    Returns (row_key, column_key, is_own).
#}
{% macro close_table(cells, policy, n_rows, n_columns, n_passes=10) %}
    with cells as (

        select * from {{ cells }}

    ),

    policy as (

        select * from {{ policy }}

    ),

    own_statistics as (

        {{ block_statistics('cells', ['row_key', 'column_key']) }}

    ),

    pass_0 as materialized (

        select
            own.row_key,
            own.column_key,
            own.n,
            {{ is_safe_block('own', 'policy') }} as is_own
        from own_statistics as own
        cross join policy

    ),
    {% for k in range(1, 2 * n_passes + 3) %}
    {%- set line = 'row_key' if k % 2 == 1 else 'column_key' %}
    {%- set n_possible = n_columns if k % 2 == 1 else n_rows %}

    hidden_{{ k }}_accounts as (

        select
            cells.{{ line }} as line,
            cells.account,
            sum(cells.n) as n
        from cells
        inner join pass_{{ k - 1 }} as pass
            on
                cells.row_key = pass.row_key
                and cells.column_key = pass.column_key
        where not pass.is_own
        group by 1, 2

    ),

    hidden_{{ k }} as (

        {{ block_statistics('hidden_' ~ k ~ '_accounts', ['line']) }}

    ),

    shown_{{ k }} as (

        select
            {{ line }} as line,
            sum(case when is_own then 1 else 0 end) as n_own
        from pass_{{ k - 1 }}
        group by 1

    ),

    open_{{ k }} as materialized (

        select hidden.line
        from hidden_{{ k }} as hidden
        inner join shown_{{ k }} as shown
            on hidden.line = shown.line
        cross join policy
        where
            not {{ is_safe_block('hidden', 'policy') }}
            or {{ n_possible }} - shown.n_own < 2

    ),

    pass_{{ k }} as materialized (

        select
            pass.row_key,
            pass.column_key,
            pass.n,
            pass.is_own and not (
                open_lines.line is not null
                and row_number() over (
                    partition by pass.{{ line }}
                    order by case when pass.is_own then 0 else 1 end, pass.n, pass.row_key, pass.column_key
                ) = 1
            ) as is_own
        from pass_{{ k - 1 }} as pass
        left join open_{{ k }} as open_lines
            on pass.{{ line }} = open_lines.line

    ),
    {% endfor %}

    hidden_table_cells as (

        select
            'table' as rest,
            cells.row_key as hidden_block,
            cells.column_key as child,
            cells.account,
            cells.n
        from cells
        inner join pass_{{ 2 * n_passes }} as pass
            on
                cells.row_key = pass.row_key
                and cells.column_key = pass.column_key
        where not pass.is_own

    ),

    shown_table_cells as (

        select
            row_key as hidden_block,
            column_key as child
        from pass_{{ 2 * n_passes }}
        where is_own

    ),

    {{ revealing_rests('hidden_table_cells', 'shown_table_cells') }}

    -- The last two rounds only look: a line that is open there withholds the table, and so does a hidden cell that
    -- the hidden totals of rows and columns together would prove not to be empty.
    verdict as (

        select
            not exists (select 1 from open_{{ 2 * n_passes + 1 }})
            and not exists (select 1 from open_{{ 2 * n_passes + 2 }})
            and not exists (select 1 from revealing) as is_closed

    ),

    final as (

        select
            pass.row_key,
            pass.column_key,
            pass.is_own and verdict.is_closed as is_own
        from pass_{{ 2 * n_passes }} as pass
        cross join verdict

    )

    select * from final
{% endmacro %}
