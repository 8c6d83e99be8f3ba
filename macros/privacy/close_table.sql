{#
    Closes two-way tables whose row totals and column totals are known to the reader: geography by category.

    `cells` has (table_name, row_key, column_key, account, n); every table is closed by itself. A cell stands alone if it is
    safe. Everything else of the table is hidden, and the reader is taken to know every margin exactly, so also what is
    hidden of each row and of each column. Three things must then hold, and each is mended by hiding one more cell at a
    time, `n_passes` times in turn:

    * rows: what a row hides is a safe block over at least two possible cells (else it hides its cell of the smallest
      column: rows that hide the same columns protect each other best);
    * columns: the same (a column hides its smallest cell);
    * swaps: every hidden cell could be empty, and could be 10 or more, in a world with the same margins
      (`table_swaps`); where a cell could not, the cheapest rectangle of hidden cells is completed in another row.

    Hiding a cell changes lines and swaps of others, so all three are looked at again, on the real accounts, after every
    pass. What the last pass leaves is judged once more: if a line is open or a cell could be proven, nothing of the table
    is shown. A table is never published on hope. A whole row is never hidden for the sake of one of its cells: its largest
    cell would be the only one that its column hides, and so be known.
    Margins must be thresholded before: rows and columns that are not safe as a whole do not belong in `cells`.

    `n_columns` is the number of columns that are possible, occurring or not.
    Returns (table_name, row_key, column_key, is_own), one row per cell that occurs.
#}
{% macro close_table(cells, policy, n_columns, n_passes=8) %}
    with cells as (

        select
            *,
            table_name || '|' || row_key as row_line,
            table_name || '|' || column_key as column_line
        from {{ cells }}

    ),

    policy as (

        select * from {{ policy }}

    ),

    cell_statistics as (

        {{ block_statistics('cells', ['table_name', 'row_key', 'column_key', 'row_line', 'column_line']) }}

    ),

    -- Cells have numbers: the passes join every account's count to them, again and again.
    own_statistics as materialized (

        select
            *,
            row_number() over (order by row_line, column_line) as cell_id
        from cell_statistics

    ),

    account_cells as materialized (

        select
            own.cell_id,
            cells.account,
            cells.n
        from cells
        inner join own_statistics as own
            on
                cells.row_line = own.row_line
                and cells.column_line = own.column_line

    ),

    table_rows as (

        select distinct
            table_name,
            row_line
        from own_statistics

    ),

    table_columns as (

        select
            table_name,
            column_line,
            sum(n) as n_column
        from own_statistics
        group by 1, 2

    ),

    table_sizes as (

        select
            table_name,
            count(*) as n_rows
        from table_rows
        group by table_name

    ),

    -- Every cell of a table, also those that are empty: they may be a place to trade with.
    state_0 as materialized (

        select
            table_rows.table_name,
            table_rows.row_line,
            table_columns.column_line,
            own.cell_id,
            cast(coalesce(own.n, 0) as bigint) as n,
            cast(table_columns.n_column as bigint) as n_column,
            coalesce(own.n is not null and {{ is_safe_block('own', 'policy') }}, false) as is_own
        from table_rows
        inner join table_columns
            on table_rows.table_name = table_columns.table_name
        cross join policy
        left join own_statistics as own
            on
                table_rows.row_line = own.row_line
                and table_columns.column_line = own.column_line

    ),
    {% for k in range(n_passes) %}

    {{ table_open_lines('state_' ~ k, 'rows_' ~ k, 'row_line', n_columns) }}

    {{ table_hide_in_lines('state_' ~ k, 'rows_' ~ k, 'row_line', 'n_column') }}

    {{ table_open_lines('rows_' ~ k, 'columns_' ~ k, 'column_line', 'sizes.n_rows') }}

    {{ table_hide_in_lines('rows_' ~ k, 'columns_' ~ k, 'column_line', 'n') }}

    {{ table_swaps('columns_' ~ k, 'swaps_' ~ k) }}

    {{ table_complete_rectangles('columns_' ~ k, 'swaps_' ~ k, 'state_' ~ (k + 1)) }}
    {% endfor %}

    -- The verdict only looks.
    {{ table_open_lines('state_' ~ n_passes, 'last_rows', 'row_line', n_columns) }}

    {{ table_open_lines('state_' ~ n_passes, 'last_columns', 'column_line', 'sizes.n_rows') }}

    {{ table_swaps('state_' ~ n_passes, 'last_swaps') }}

    verdicts as (

        select
            table_name,
            table_name not in (select last_rows_open.table_name from last_rows_open)
            and table_name not in (select last_columns_open.table_name from last_columns_open)
            and table_name not in (select last_swaps_provable.table_name from last_swaps_provable) as is_closed
        from table_sizes

    ),

    final as (

        select
            own.table_name,
            own.row_key,
            own.column_key,
            state.is_own and verdicts.is_closed as is_own
        from own_statistics as own
        inner join state_{{ n_passes }} as state
            on own.cell_id = state.cell_id
        inner join verdicts
            on own.table_name = verdicts.table_name

    )

    select * from final
{% endmacro %}

{# CTE `<name>_open` (table_name, line): rows or columns of which the hidden part is no safe block of two possible cells. #}
{% macro table_open_lines(state, name, line, n_possible) %}
    {{ name }}_accounts as (

        select
            state.table_name,
            state.{{ line }} as line,
            cells.account,
            sum(cells.n) as n
        from (
            select *
            from account_cells
            where cell_id in (select hidden.cell_id from {{ state }} as hidden where not hidden.is_own)
        ) as cells
        inner join {{ state }} as state
            on cells.cell_id = state.cell_id
        group by 1, 2, 3

    ),

    {{ name }}_hidden as (

        {{ block_statistics(name ~ '_accounts', ['table_name', 'line']) }}

    ),

    {{ name }}_shown as (

        select
            {{ line }} as line,
            sum(case when is_own then 1 else 0 end) as n_own
        from {{ state }}
        group by 1

    ),

    {{ name }}_open as materialized (

        select
            hidden.table_name,
            hidden.line
        from {{ name }}_hidden as hidden
        inner join {{ name }}_shown as shown
            on hidden.line = shown.line
        inner join table_sizes as sizes
            on hidden.table_name = sizes.table_name
        cross join policy
        where
            not {{ is_safe_block('hidden', 'policy') }}
            or {{ n_possible }} - shown.n_own < 2

    ),
{% endmacro %}

{# CTE `<name>`: `state` with one more hidden cell in each line of `<name>_open`, the first by `measure`. #}
{% macro table_hide_in_lines(state, name, line, measure) %}
    {{ name }} as materialized (

        select
            state.table_name,
            state.row_line,
            state.column_line,
            state.cell_id,
            state.n,
            state.n_column,
            state.is_own and not (
                open_lines.line is not null
                and row_number() over (
                    partition by state.{{ line }}
                    order by case when state.is_own then 0 else 1 end, state.{{ measure }}, state.row_line, state.column_line
                ) = 1
            ) as is_own
        from {{ state }} as state
        left join {{ name }}_open as open_lines
            on state.{{ line }} = open_lines.line

    ),
{% endmacro %}

{#
    CTE `<name>_provable` (table_name, row_line, column_line, n, is_low, deficit): hidden cells that might be proven to be there, or be
    known within less than 10, by who knows every margin exactly.

    A swap takes one conversation of the cell (i, j) to (i, k) and one of (r, k) to (r, j), all four cells hidden: no row
    and no column changes. So the cell can be emptied if there are at least as many conversations in hidden cells (r, k),
    over all other rows r that hide j and all columns k that i and r both hide (`n_room`). It can be filled the other
    way: (i, k) gives to (i, j) and (r, j) to (r, k), where each conversation of (i, k) and of (r, j) can be used once.
    `n_gain` is a flow of that kind, so a lower bound: each k hands its conversations to the rows r in proportion to what
    they have in j, cut to what they have (`load`). The quick form cuts all of them alike; the rows are gone through one
    by one only where that does not do. A flow of whole conversations is never smaller than one of fractions.
    Longer chains of swaps could free more cells; leaving them out hides more, never less.
#}
{% macro table_swaps(state, name) %}
    {{ name }}_hidden as materialized (

        select
            table_name,
            row_line,
            column_line,
            n,
            sum(n) over (partition by row_line) as n_row,
            sum(n) over (partition by column_line) as n_column
        from {{ state }}
        where not is_own

    ),

    -- How much of column `mate` lies in rows that hide `child` as well.
    {{ name }}_mates as materialized (

        select
            child.column_line as child,
            mate.column_line as mate,
            sum(mate.n) as n
        from {{ name }}_hidden as child
        inner join {{ name }}_hidden as mate
            on
                child.row_line = mate.row_line
                and child.column_line <> mate.column_line
        group by 1, 2

    ),

    {{ name }}_pairs as (

        select
            cell.row_line,
            cell.column_line,
            cell.n,
            beside.column_line as mate,
            beside.n as n_beside,
            room.n - beside.n as n_room,
            reach.n - cell.n as n_reach
        from {{ name }}_hidden as cell
        inner join {{ name }}_hidden as beside
            on
                cell.row_line = beside.row_line
                and cell.column_line <> beside.column_line
        inner join {{ name }}_mates as room
            on
                cell.column_line = room.child
                and beside.column_line = room.mate
        inner join {{ name }}_mates as reach
            on
                cell.column_line = reach.mate
                and beside.column_line = reach.child
        where cell.n_row > 0

    ),

    {{ name }}_quick as (

        select
            cell.table_name,
            cell.row_line,
            cell.column_line,
            cell.n,
            coalesce(sum(pairs.n_room), 0) as n_room,
            coalesce(
                sum(least(pairs.n_beside, pairs.n_reach))
                / greatest(1, sum(case when pairs.n_reach > 0 then least(1, 1.0 * pairs.n_beside / pairs.n_reach) else 0 end)),
                0
            ) as n_gain
        from {{ name }}_hidden as cell
        left join {{ name }}_pairs as pairs
            on
                cell.row_line = pairs.row_line
                and cell.column_line = pairs.column_line
        where
            cell.n_row > 0
            -- A column that hides nothing has empty cells only: its total says so, whatever the rest of the table shows.
            and cell.n_column > 0
        group by 1, 2, 3, 4

    ),

    {{ name }}_loads as (

        select
            quick.row_line,
            quick.column_line,
            other.row_line as other_row,
            other.n,
            sum(case when pairs.n_reach > 0 then 1.0 * pairs.n_beside / pairs.n_reach else 0 end) as load
        from {{ name }}_quick as quick
        inner join {{ name }}_pairs as pairs
            on
                quick.row_line = pairs.row_line
                and quick.column_line = pairs.column_line
        inner join {{ name }}_hidden as other
            on
                quick.column_line = other.column_line
                and quick.row_line <> other.row_line
        inner join {{ name }}_hidden as other_mate
            on
                other.row_line = other_mate.row_line
                and pairs.mate = other_mate.column_line
        where quick.n + quick.n_gain <= 9.001
        group by 1, 2, 3, 4

    ),

    {{ name }}_slow as (

        select
            row_line,
            column_line,
            sum(n * least(1, load)) as n_gain
        from {{ name }}_loads
        group by 1, 2

    ),

    {{ name }}_bounds as (

        select
            quick.table_name,
            quick.row_line,
            quick.column_line,
            quick.n,
            quick.n_room,
            greatest(quick.n_gain, coalesce(slow.n_gain, 0)) as n_gain
        from {{ name }}_quick as quick
        left join {{ name }}_slow as slow
            on
                quick.row_line = slow.row_line
                and quick.column_line = slow.column_line

    ),

    {{ name }}_provable as materialized (

        select
            table_name,
            row_line,
            column_line,
            n,
            n_room < n as is_low,
            greatest(n - n_room, ceil(10 - n - round(n_gain, 3))) as deficit
        from {{ name }}_bounds
        where
            n_room < n
            or n + n_gain <= 9.001

    ),
{% endmacro %}

{#
    CTE `<next>`: `state` with one more hidden cell for the worst provable cell (i, j) of each column. It is the cell that
    completes a rectangle of hidden cells with another row, (r, j) or (r, k), and frees most for what it hides; if there
    is none, the smallest cell of row i.
#}
{% macro table_complete_rectangles(state, name, next) %}
    {{ name }}_worst as (

        select *
        from (
            select
                *,
                row_number() over (partition by column_line order by deficit desc, row_line) as place
            from {{ name }}_provable
        ) as ranked
        where place = 1

    ),

    {{ name }}_choices as (

        select
            worst.row_line as worst_row,
            worst.column_line as worst_column,
            choice.row_line,
            choice.column_line,
            choice.n,
            worst.deficit,
            case
                when worst.is_low then sum(other.n)
                else least(choice.n, sum(beside.n))
            end as n_freed
        from {{ name }}_worst as worst
        inner join {{ state }} as choice
            on
                worst.column_line = choice.column_line
                and worst.row_line <> choice.row_line
                and choice.is_own
        inner join {{ name }}_hidden as beside
            on
                worst.row_line = beside.row_line
                and worst.column_line <> beside.column_line
        inner join {{ name }}_hidden as other
            on
                choice.row_line = other.row_line
                and beside.column_line = other.column_line
        group by 1, 2, 3, 4, 5, 6, worst.is_low

        union all

        select
            worst.row_line as worst_row,
            worst.column_line as worst_column,
            choice.row_line,
            choice.column_line,
            choice.n,
            worst.deficit,
            case
                when worst.is_low then choice.n
                else least(beside.n, other.n)
            end as n_freed
        from {{ name }}_worst as worst
        inner join {{ name }}_hidden as beside
            on
                worst.row_line = beside.row_line
                and worst.column_line <> beside.column_line
        inner join {{ name }}_hidden as other
            on
                worst.column_line = other.column_line
                and worst.row_line <> other.row_line
        inner join {{ state }} as choice
            on
                other.row_line = choice.row_line
                and beside.column_line = choice.column_line
                and choice.is_own

        union all

        select
            worst.row_line as worst_row,
            worst.column_line as worst_column,
            choice.row_line,
            choice.column_line,
            choice.n,
            worst.deficit,
            0 as n_freed
        from {{ name }}_worst as worst
        inner join {{ state }} as choice
            on
                worst.row_line = choice.row_line
                and choice.is_own

    ),

    {{ name }}_chosen as (

        select distinct
            row_line,
            column_line
        from (
            select
                *,
                row_number() over (
                    partition by worst_row, worst_column
                    order by 1.0 * least(n_freed, deficit) / n desc, n, row_line, column_line
                ) as place
            from {{ name }}_choices
            where
                n_freed > 0
                or row_line = worst_row
        ) as ranked
        where place = 1

    ),

    {{ next }} as materialized (

        select
            state.table_name,
            state.row_line,
            state.column_line,
            state.cell_id,
            state.n,
            state.n_column,
            state.is_own and chosen.row_line is null as is_own
        from {{ state }} as state
        left join {{ name }}_chosen as chosen
            on
                state.row_line = chosen.row_line
                and state.column_line = chosen.column_line

    ),
{% endmacro %}
