-- Grain: one row per country of which a region may stand alone, such a region (or null for all others), and account.
{#
    A region (ISO 3166-2) may stand alone from 100 conversations up, whatever the policy says, if it is a safe block. All others
    of its country, unknown codes and conversations without one have the child null. A rest that could only be of one
    region would show that region, however small: then the smallest region that may stand alone joins it.
#}
with
{{ region_placed() }}

policy as (

    select * from {{ ref('wall_policy') }}

),

known as (

    select
        country_code,
        count(*) as n_regions
    from {{ ref('regions') }}
    group by country_code

),

-- Most countries name no region that could ever stand alone: they are left out before anything is counted by account.
peopled as (

    select distinct country_code
    from (
        select
            country_code,
            region_code
        from region_placed
        where region_code is not null
        group by 1, 2
        having count(*) >= {{ floor_conversations() }}
    ) as regions_of_some_size

),

region_looked_at as (

    select region_placed.*
    from region_placed
    inner join peopled
        on region_placed.country_code = peopled.country_code

),

region_cells as (

    {{ cell_accounts('region_looked_at', 'country_code', 'region_code') }}

),

region_statistics as (

    {{ block_statistics('region_cells', ['parent', 'child']) }}

),

able as (

    select
        region.parent,
        region.child,
        row_number() over (partition by region.parent order by region.n, region.child) as place,
        count(*) over (partition by region.parent) as n_able
    from region_statistics as region
    cross join policy
    where
        region.child is not null
        and region.n >= greatest(100, policy.min_conversations_region)
        and {{ is_safe_block('region', 'policy') }}

),

alone as (

    select
        able.parent,
        able.child
    from able
    inner join known
        on able.parent = known.country_code
    where
        known.n_regions - able.n_able <> 1
        or able.place > 1

),

final as (

    select
        region_cells.parent,
        alone.child,
        region_cells.account,
        cast(sum(region_cells.n) as bigint) as n,
        bit_xor(region_cells.digest) as digest
    from region_cells
    left join alone
        on
            region_cells.parent = alone.parent
            and region_cells.child = alone.child
    where region_cells.parent in (select shown.parent from alone as shown)
    group by 1, 2, 3

)

select * from final
