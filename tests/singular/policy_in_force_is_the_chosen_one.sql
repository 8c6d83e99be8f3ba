-- Exactly one policy is in force: the row of the registry that the variable names, unchanged and not below the floors.
{{ config(group='private_side') }}
with chosen as (

    select * from {{ ref('privacy_policies') }}
    where policy = '{{ var("privacy_policy") }}'

),

in_force as (

    select * from {{ ref('wall_policy') }}

),

paired as (

    select
        count(*) as n_rows,
        sum(
            case
                when
                    in_force.min_conversations = chosen.min_conversations
                    and in_force.min_accounts = chosen.min_accounts
                    and in_force.max_share_of_largest_account = chosen.max_share_of_largest_account
                    and in_force.min_conversations_without_two_largest = chosen.min_conversations_without_two_largest
                    and in_force.min_accounts_without_two_largest = chosen.min_accounts_without_two_largest
                    and in_force.min_remainder_share_of_largest = chosen.min_remainder_share_of_largest
                    and in_force.rounding_base = chosen.rounding_base
                    and in_force.min_conversations >= {{ floor_conversations() }}
                    and in_force.min_accounts >= {{ floor_accounts() }}
                    then 1
                else 0
            end
        ) as n_agreeing
    from in_force
    full outer join chosen
        on in_force.policy = chosen.policy

)

select *
from paired
where
    n_rows <> 1
    or n_agreeing <> 1
