{#
    Counts conversations by parent, child and account: the only place where the wall reads single conversations.
    Returns (parent, child, account, n, digest).
#}
{% macro cell_accounts(relation, parent, child, where='true') %}
    select
        {{ parent }} as parent,
        {{ child }} as child,
        account,
        count(*) as n,
        bit_xor(record) as digest
    from {{ relation }}
    where {{ where }}
    group by 1, 2, 3
{% endmacro %}

{# Statistics and digest of blocks from rows (block, account, n, digest), several rows an account allowed. #}
{% macro blocks_from_cells(relation, block) %}
    with block_accounts as (

        select
            {{ block }} as block,
            account,
            sum(n) as n,
            bit_xor(digest) as digest
        from {{ relation }}
        where {{ block }} is not null
        group by 1, 2

    ),

    block_statistics as (

        {{ block_statistics('block_accounts', ['block']) }}

    ),

    block_digests as (

        select
            block,
            bit_xor(digest) as digest
        from block_accounts
        group by block

    )

    select
        block_statistics.block,
        cast(block_statistics.n as bigint) as n,
        block_statistics.n_accounts,
        cast(block_statistics.n_largest as bigint) as n_largest,
        cast(block_statistics.n_two_largest as bigint) as n_two_largest,
        {{ digest_text('block_digests.digest') }} as record_digest
    from block_statistics
    inner join block_digests
        on block_statistics.block = block_digests.block
{% endmacro %}
