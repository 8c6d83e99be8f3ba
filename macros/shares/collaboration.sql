{#
    Turns counts by (unit, pattern) into the rows of a collaboration mart: patterns, what is not attributed, and the two
    groups automation and augmentation.

    `counted` has the unit's key columns, collaboration_pattern (with 'not_attributed'), n_conversations,
    n_support_conversations, n_accounts_at_least; null counts are withheld. `keys` are the unit's key columns.
    Bases: share_of_all over everything that is published of the unit; share_of_classified_patterns over the five
    patterns that are automation or augmentation, the paper's base (section 3.4). A group is published only when all
    its patterns are: otherwise its share would be a sum over some patterns divided by a sum over others.
#}
{% macro collaboration_rows(counted, keys) %}
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
            sum(case when is_classified then n_conversations end) as n_classified_patterns
        from labelled
        {% if keys %}group by {{ keys | join(', ') }}{% endif %}

    ),

    grouped as (

        select
            {% for key in keys %}{{ key }},
            {% endfor -%}
            pattern_group,
            case when count(*) = count(n_conversations) then sum(n_conversations) end as n_conversations,
            case when count(*) = count(n_conversations) then sum(n_support_conversations) end as n_support_conversations,
            case when count(*) = count(n_conversations) then max(n_accounts_at_least) end as n_accounts_at_least
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
        {{ status_of('unioned.n_support_conversations') }} as status,
        unioned.n_conversations,
        cast(unioned.n_support_conversations as bigint) as n_support_conversations,
        cast(unioned.n_accounts_at_least as bigint) as n_accounts_at_least,
        {{ share_columns('share_of_all', 'unioned.n_conversations', 'bases.n_all') }},
        case when unioned.is_classified then {{ share('unioned.n_conversations', 'bases.n_classified_patterns') }} end as share_of_classified_patterns,
        case when unioned.is_classified then {{ wilson('unioned.n_conversations', 'bases.n_classified_patterns', 'lower') }} end as share_of_classified_patterns_lower,
        case when unioned.is_classified then {{ wilson('unioned.n_conversations', 'bases.n_classified_patterns', 'upper') }} end as share_of_classified_patterns_upper
    from unioned
    {% if keys -%}
    inner join bases
        on {% for key in keys %}unioned.{{ key }} = bases.{{ key }}{{ " and " if not loop.last }}{% endfor %}
    {%- else -%}
    cross join bases
    {%- endif %}
{% endmacro %}
