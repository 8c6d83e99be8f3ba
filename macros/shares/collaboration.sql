{#
    Turns counts by (unit, pattern) into the rows of a collaboration mart: patterns, what is not attributed, and the two
    groups automation and augmentation.

    `counted` has the unit's key columns, collaboration_pattern (with 'not_attributed'), n_conversations,
    n_support_conversations, n_accounts_at_least; null counts are withheld. `keys` are the unit's key columns.
    Bases: share_of_all over everything that is published of the unit, what is not attributed included;
    share_of_classified_patterns over the five patterns that are automation or augmentation, the paper's base (section
    3.4). Rare patterns are withheld more often than common ones, so the second base is biased where much is not
    attributed: above a fifth of the unit it is not given. `is_complete` says that nothing is left unattributed.
    Where counts are allocated (`is_allocated`), n_conversations comes as a whole numerator over the denominator of
    task_allocation and is divided only here, after all sums.
#}
{% macro collaboration_rows(counted, keys, is_allocated=false) %}
    {%- set n = from_numerator('unioned.n_conversations', 'denominators.denominator') if is_allocated else 'cast(unioned.n_conversations as bigint)' -%}
    {%- set n_all = from_numerator('bases.n_all', 'denominators.denominator') if is_allocated else 'bases.n_all' -%}
    {%- set n_classified = from_numerator('bases.n_classified_patterns', 'denominators.denominator') if is_allocated else 'bases.n_classified_patterns' %}
    with counted as (

        select * from {{ counted }}

    ),

    patterns as (

        select
            pattern,
            label,
            pattern_group,
            is_classified,
            position
        from {{ ref('collaboration_patterns') }}

        union all

        select
            'not_attributed' as pattern,
            'Not attributed' as label,
            'not_attributed' as pattern_group,
            false as is_classified,
            7 as position

    ),

    labelled as (

        select
            counted.*,
            patterns.pattern,
            patterns.label,
            patterns.pattern_group,
            patterns.is_classified,
            patterns.position
        from counted
        inner join patterns
            on counted.collaboration_pattern = patterns.pattern

    ),

    bases as (

        select
            {% for key in keys %}{{ key }},
            {% endfor -%}
            sum(n_conversations) as n_all,
            sum(case when is_classified then n_conversations end) as n_classified_patterns,
            coalesce(sum(case when pattern = 'not_attributed' then n_conversations end), 0) as n_not_attributed
        from labelled
        {% if keys %}group by {{ keys | join(', ') }}{% endif %}

    ),

    grouped as (

        select
            {% for key in keys %}{{ key }},
            {% endfor -%}
            pattern_group,
            sum(n_conversations) as n_conversations,
            sum(n_support_conversations) as n_support_conversations,
            max(n_accounts_at_least) as n_accounts_at_least
        from labelled
        where is_classified
        group by {% for key in keys %}{{ key }}, {% endfor %}pattern_group

    ),

    unioned as (

        select
            {% for key in keys %}{{ key }},
            {% endfor -%}
            'pattern' as pattern_level,
            collaboration_pattern,
            label,
            pattern_group,
            is_classified,
            position,
            n_conversations,
            n_support_conversations,
            n_accounts_at_least
        from labelled

        union all

        select
            {% for key in keys %}{{ key }},
            {% endfor -%}
            'group' as pattern_level,
            pattern_group as collaboration_pattern,
            case pattern_group when 'automation' then 'Automation' else 'Augmentation' end as label,
            pattern_group,
            true as is_classified,
            case pattern_group when 'automation' then 8 else 9 end as position,
            n_conversations,
            n_support_conversations,
            n_accounts_at_least
        from grouped

    )

    select
        {% for key in keys %}unioned.{{ key }},
        {% endfor -%}
        unioned.pattern_level,
        unioned.collaboration_pattern,
        unioned.label,
        unioned.pattern_group,
        cast(unioned.position as integer) as position,
        bases.n_not_attributed = 0 as is_complete,
        {{ status_of('unioned.n_support_conversations') }} as status,
        {{ n }} as n_conversations,
        cast(unioned.n_support_conversations as bigint) as n_support_conversations,
        cast(unioned.n_accounts_at_least as bigint) as n_accounts_at_least,
        {{ share_columns('share_of_all', n, n_all) }},
        case when unioned.is_classified and bases.n_not_attributed * 5 <= bases.n_all then {{ share(n, n_classified) }} end as share_of_classified_patterns,
        case when unioned.is_classified and bases.n_not_attributed * 5 <= bases.n_all then {{ wilson(n, n_classified, 'lower') }} end as share_of_classified_patterns_lower,
        case when unioned.is_classified and bases.n_not_attributed * 5 <= bases.n_all then {{ wilson(n, n_classified, 'upper') }} end as share_of_classified_patterns_upper
    from unioned
    {% if keys -%}
    inner join bases
        on {% for key in keys %}unioned.{{ key }} = bases.{{ key }}{{ " and " if not loop.last }}{% endfor %}
    {%- else -%}
    cross join bases
    {%- endif %}
    {%- if is_allocated %}
    cross join (select max(weight_denominator) as denominator from {{ ref('task_allocation') }}) as denominators
    {%- endif %}
{% endmacro %}
