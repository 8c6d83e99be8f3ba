-- Grain: one row per facet that the registry marks for the generic mart, and option.
with options as (

    select * from {{ ref('facet_options') }}

),

facets as (

    select * from {{ ref('facets') }}
    where is_generic_mart

),

usage as (

    select * from {{ ref('wall_public_facets') }}

),

run as (

    select * from {{ ref('wall_public_run') }}

),

classified as (

    select n_conversations
    from {{ ref('wall_public_outcomes') }}
    where outcome = 'classified'

),

final as (

    select
        run.release_id,
        usage.facet,
        usage.option_id,
        coalesce(options.label, 'Not attributed') as label,
        options.option_group,
        usage.status,
        usage.n_conversations,
        usage.n_support_conversations,
        usage.n_accounts_at_least,
        {{ share_columns('share_of_classified', 'usage.n_conversations', 'classified.n_conversations') }}
    from usage
    inner join facets
        on usage.facet = facets.facet
    left join options
        on
            usage.facet = options.facet
            and usage.option_id = options.option_id
    cross join run
    cross join classified

)

select * from final
