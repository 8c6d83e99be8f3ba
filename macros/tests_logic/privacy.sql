{#
    Logic of the tests of the wall. The rule is written a second time here, from docs/privacy.md and not from
    macros/privacy: a mistake in one of the two makes the build fail instead of publishing.
#}

{#
    Blocks that break the primary rule: columns n, n_accounts, n_largest, n_two_largest against the one row of `policy`.
    Null and NaN fail, so does a missing policy row; the literal floors hold whatever the policy row says.
#}
{% macro rows_not_a_safe_block(relation, policy) %}
    select blocks.*
    from (select * from {{ relation }}) as blocks
    left join (select * from {{ policy }}) as in_force
        on true
    where
        not coalesce(
            {{ is_finite('blocks.n') }}
            and blocks.n >= 15
            and blocks.n >= in_force.min_conversations
            and blocks.n_accounts >= 5
            and blocks.n_accounts >= in_force.min_accounts
            and blocks.n_accounts <= blocks.n
            and blocks.n_largest > 0
            and blocks.n_largest <= blocks.n_two_largest
            and blocks.n_two_largest <= blocks.n
            and blocks.n_largest <= in_force.max_share_of_largest_account * blocks.n
            and blocks.n - blocks.n_two_largest >= in_force.min_conversations_without_two_largest
            and blocks.n_accounts - 2 >= in_force.min_accounts_without_two_largest
            and blocks.n - blocks.n_two_largest >= in_force.min_remainder_share_of_largest * blocks.n_largest,
            false
        )
{% endmacro %}

{#
    One row with both sums where the blocks are not an exact partition of the conversations they stand for:
    sum of `count_column` against the number of rows of `of`. Nothing at all on both sides is a partition too; with
    `or_nothing` a relation without any block passes as well: that is a window that is withheld as a whole.
#}
{% macro difference_to_partition(relation, count_column, of, where='true', of_where='true', or_nothing=false) %}
    select
        blocks.n as n_in_blocks,
        wholes.n as n_in_whole
    from (
        select
            count(*) as n_blocks,
            coalesce(sum({{ count_column }}), 0) as n
        from {{ relation }}
        where {{ where }}
    ) as blocks
    cross join (
        select count(*) as n from {{ of }} where {{ of_where }}
    ) as wholes
    where
        not coalesce(blocks.n = wholes.n, false)
        {% if or_nothing -%}
        and blocks.n_blocks > 0
        {%- endif %}
{% endmacro %}

{# Rows that are not published (or of an unknown status) but still show a value. #}
{% macro rows_withheld_with_values(relation, value_columns) %}
    select *
    from {{ relation }}
    where
        status is null
        or status not in ('published', 'withheld', 'not_applicable')
        or (
            status <> 'published'
            and (
                {% for column in value_columns -%}
                {{ column }} is not null{{ " or" if not loop.last }}
                {% endfor %}
            )
        )
{% endmacro %}

{# Published rows without a count, or with one below the literal floors of 15 conversations and 5 accounts. #}
{% macro rows_published_below_floors(relation) %}
    select *
    from {{ relation }}
    where
        coalesce(status, 'published') = 'published'
        and not coalesce(
            {{ is_finite('n_conversations') }}
            and n_conversations > 0
            and {{ is_finite('n_support_conversations') }}
            and n_support_conversations >= 15
            and {{ is_finite('n_accounts_at_least') }}
            and n_accounts_at_least >= 5,
            false
        )
{% endmacro %}

{# Groups whose numerators do not add up to the denominator exactly: part of the mass was lost, or counted twice. #}
{% macro groups_losing_mass(relation, group_by, numerator, denominator) %}
    select
        {{ group_by | join(', ') }},
        sum({{ numerator }}) as sum_of_numerators,
        min({{ denominator }}) as denominator
    from {{ relation }}
    group by {{ group_by | join(', ') }}
    having not coalesce(
        sum({{ numerator }}) = min({{ denominator }})
        and min({{ denominator }}) = max({{ denominator }})
        and count({{ numerator }}) = count(*),
        false
    )
{% endmacro %}
