"""Synthetic labelled conversations with heavy-tailed task popularity, straight into the tables below the labels.

Deterministic in (n, seed): every draw is a hash. Popularity is lognormal (sigma 3.1), chosen so that about 2,500 tasks of
O*NET pass 15 conversations in 1,000,000; account sizes and countries follow power laws; a few accounts dominate a few tasks.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import duckdb

FACTS_SQL = """
create schema if not exists facts;

create or replace temp macro u(i, salt) as (hash(i, salt, {seed}) >> 11) / 9007199254740992.0;
create or replace temp macro gauss(i, salt) as sqrt(-2 * ln(u(i, salt) + 1e-12)) * cos(2 * pi() * u(i, salt || 'b'));

create or replace temp table popularity as
with weights as (
    select task_id, exp(3.1 * gauss(task_id, 'popularity')) as w,
        0.15 + 0.7 * u(task_id, 'directive') as p_directive
    from reference.tasks
)
select task_id, p_directive,
    sum(w) over (order by task_id) / sum(w) over () as upper_edge,
    coalesce(sum(w) over (order by task_id rows between unbounded preceding and 1 preceding), 0) / sum(w) over () as lower_edge
from weights;

create or replace table facts.conversation_intake as
select
    i as input_row,
    'synthetic' as source_file,
    'c' || i as conversation_id,
    case when u(i, 'missing') < 0.01 then null
        when u(i, 'heavy') < 0.01 then 'heavy' || cast(floor(50 * u(i, 'which')) as int)
        else md5('a' || cast(floor({n} / 4.0 * pow(u(i, 'account'), 1.8)) as bigint)) end as account_key,
    cast(null as varchar) as organization_key,
    timestamp '2026-06-01' + to_seconds(cast(floor(u(i, 'time') * 2419200) as bigint)) as started_at,
    md5('content' || i) as content_hash,
    (['model-a', 'model-b', 'model-c'])[1 + cast(floor(2.999 * pow(u(i, 'model'), 1.5)) as int)] as model,
    'chat' as product, 'en' as language,
    country_code,
    case when u(i, 'named') < 0.7 then regions.listed[1 + cast(floor(pow(u(i, 'region'), 2) * len(regions.listed)) as int)]
        end as region_code,
    u(i, 'thinking') < 0.3 as extended_thinking,
    false as safety_flagged, cast(null as bigint) as input_tokens, cast(null as bigint) as output_tokens,
    false as is_test_accounts,
    case when u(i, 'outcome') < 0.002 then 'quarantined' when u(i, 'outcome') < 0.01 then 'duplicate' else 'to_label' end as intake_outcome,
    case when u(i, 'outcome') < 0.002 then 'no_user_message' when u(i, 'outcome') < 0.01 then 'same_account_same_messages' end as intake_reason
from (
    -- Countries follow a power law with exponent 1.6: of 1,000,000 conversations about half of all countries have 200.
    select
        i,
        listed[cast(floor(pow(1 - u(i, 'country') * (1 - pow(len(listed), -0.6)), -1 / 0.6)) as int)] as country_code
    from range({n}) as t(i)
    cross join (select list(country_code order by hash(country_code)) as listed from reference.countries)
) as placed
-- Seven in ten name a region, the first ones of a country most often.
left join (
    select country_code, list(region_code order by hash(region_code)) as listed from reference.regions group by country_code
) as regions using (country_code);

create or replace table facts.fct_conversations as
with drawn as (
    select i.*, u(input_row, 'task') as u_task, u(input_row, 'screen') as u_screen, u(input_row, 'pattern') as u_pattern
    from facts.conversation_intake as i
)
select
    d.input_row, d.conversation_id, d.account_key, d.organization_key, d.started_at, d.model, d.product, d.language,
    d.country_code, d.region_code, d.extended_thinking as is_extended_thinking,
    case when d.intake_outcome <> 'to_label' then d.intake_outcome when u_screen < 0.1 then 'screened_out'
        when u_screen < 0.11 then 'none' when u_screen < 0.112 then 'failed' else 'classified' end as outcome,
    cast(null as varchar) as outcome_reason,
    case when d.intake_outcome = 'to_label' and u_screen >= 0.112 then p.task_id end as task_id,
    case when d.intake_outcome = 'to_label' and u_screen >= 0.112 then
        case when u_pattern < p_directive then 'directive'
            when u_pattern < p_directive + 0.5 * (1 - p_directive) then 'learning'
            when u_pattern < p_directive + 0.8 * (1 - p_directive) then 'task_iteration'
            when u_pattern < p_directive + 0.93 * (1 - p_directive) then 'feedback_loop'
            when u_pattern < p_directive + 0.98 * (1 - p_directive) then 'validation' else 'none' end end as collaboration_pattern
from drawn as d
asof join popularity as p on d.u_task >= p.lower_edge;

create or replace table facts.fct_conversation_labels as
select input_row, 'skill' as facet,
    (select list(skill order by skill) from reference.skills)[1 + cast(floor(34.999 * pow(u(input_row, 'skill' || k), 2)) as int)] as option_id,
    0.8 as confidence
from facts.fct_conversations, range(3) as t(k)
where outcome = 'classified'
qualify row_number() over (partition by input_row, option_id) = 1
union all
select input_row, facet,
    (['explicitly', 'likely', 'possibly', 'non'])[1 + cast(floor(3.999 * u(input_row, facet)) as int)] as option_id, 0.7
from facts.fct_conversations, (values ('work_use'), ('coursework_use'), ('personal_use')) as f(facet)
where outcome = 'classified';
"""


# What stands above the labels and is no part of a proof about the wall: a hierarchy (SOC groups, occupations, tasks) and
# what the engines leave behind, here nothing.
STAND_INS_SQL = """
create schema if not exists requests;
create schema if not exists labels;

create or replace table reference.task_hierarchy_built as
with units as (
    select task_id, min(soc_major_code) as g, min(onet_soc_code) as o from reference.task_occupations group by task_id
)
select 1 as level, 'top' as level_name, 'top-' || g as node_id, cast(null as varchar) as parent_node_id,
    'top-' || g as top_node_id, 'Group ' || g as name, cast(null as bigint) as task_id,
    cast(count(*) as integer) as n_tasks
from units group by g
union all
select 2, 'middle', 'mid-' || o, 'top-' || g, 'top-' || g, 'Unit ' || o, null, cast(count(*) as integer)
from units group by g, o
union all
select 3, 'base', 'base-' || u.task_id, 'mid-' || o, 'top-' || g, t.task, u.task_id, 1
from units as u inner join reference.tasks as t on u.task_id = t.task_id;

create or replace table labels.run_usage (
    stage varchar, n_answers bigint, answer_input_tokens bigint, answer_cached_tokens bigint,
    answer_output_tokens bigint, answer_cost_usd double
);
"""

CANARIES_SQL = """
create or replace temp table planted as
select row_number() over () - 1 as place, token from read_csv(?, header = false, columns = {'token': 'varchar'}, delim = '\\0');

update facts.conversation_intake set conversation_id = p.token || '-' || input_row, account_key = p.token,
    organization_key = p.token, model = p.token, product = p.token, country_code = p.token, region_code = p.token,
    language = p.token
from planted as p where input_row % (select greatest(1, max(input_row) // 400) from facts.conversation_intake) = 0
    and (input_row // (select greatest(1, max(input_row) // 400) from facts.conversation_intake))
        % (select count(*) from planted) = p.place;

update facts.fct_conversations as f set conversation_id = i.conversation_id, account_key = i.account_key,
    organization_key = i.organization_key, model = i.model, product = i.product, country_code = i.country_code,
    region_code = i.region_code, language = i.language, outcome_reason = i.product
from facts.conversation_intake as i where f.input_row = i.input_row and i.product <> 'chat';
"""


def canary_tokens(n: int = 200, seed: int = 1) -> list[str]:
    """Made-up names, e-mails, addresses, ids and task-like strings that stand nowhere else; always the same."""
    tokens = []
    for i in range(n):
        word = sha256(f"{seed}|{i}".encode()).hexdigest()
        name = f"{word[:6].translate(_LETTERS).title()} {word[6:14].translate(_LETTERS).title()}"
        tokens.append(
            (
                name,
                f"{name.replace(' ', '.').lower()}@{word[14:20]}.example.org",
                f"{1 + i} {name.split()[1]} Street, {word[14:20].translate(_LETTERS).title()}ton",
                f"acct-{word[:20]}",
                f"Write the {word[:8].translate(_LETTERS)} letter to the {word[8:16].translate(_LETTERS)} of {name}",
            )[i % 5]
        )
    return tokens


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def plant_canaries(database: Path, tokens: Path) -> None:
    """Write the tokens of a file over ids, accounts, organisations, models, products and places of some conversations."""
    with duckdb.connect(str(database)) as connection:
        # Its bar would be printed on standard output, between what a command says there.
        connection.execute("set enable_progress_bar = false")
        for statement in CANARIES_SQL.split(";\n"):
            if statement.strip():
                connection.execute(statement, [str(tokens)] if "?" in statement else None)


def write_stand_ins(database: Path) -> None:
    """Write ``STAND_INS_SQL``: with the facts, everything that the wall and the marts read but the reference models."""
    with duckdb.connect(str(database)) as connection:
        # Its bar would be printed on standard output, between what a command says there.
        connection.execute("set enable_progress_bar = false")
        connection.execute(STAND_INS_SQL)


def write_facts(database: Path, n: int, seed: int = 7) -> None:
    """Write the three tables below the labels for ``n`` conversations; the reference tables must be there."""
    with duckdb.connect(str(database)) as connection:
        # Its bar would be printed on standard output, between what a command says there.
        connection.execute("set enable_progress_bar = false")
        connection.execute(FACTS_SQL.format(n=n, seed=seed))
