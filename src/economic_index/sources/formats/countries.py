"""English country names to ISO 3166-1 alpha-2 codes, for corpora that spell countries out."""

from __future__ import annotations

import re
import unicodedata

#: Code, then the names in lower case without accents, joined by ``|``.
_NAMES = """
AD andorra
AE united arab emirates
AF afghanistan
AG antigua and barbuda
AI anguilla
AL albania
AM armenia
AO angola
AQ antarctica
AR argentina
AS american samoa
AT austria
AU australia
AW aruba
AX aland|aland islands
AZ azerbaijan
BA bosnia and herzegovina
BB barbados
BD bangladesh
BE belgium
BF burkina faso
BG bulgaria
BH bahrain
BI burundi
BJ benin
BL st barthelemy
BM bermuda
BN brunei|brunei darussalam
BO bolivia|bolivia plurinational state of
BQ caribbean netherlands
BR brazil
BS bahamas|the bahamas
BT bhutan
BV bouvet island
BW botswana
BY belarus
BZ belize
CA canada
CC cocos keeling islands
CD congo kinshasa|democratic republic of the congo|dr congo
CF central african republic
CG congo|congo brazzaville|congo republic|republic of the congo
CH switzerland
CI cote d ivoire|cote divoire|ivory coast
CK cook islands
CL chile
CM cameroon
CN china
CO colombia
CR costa rica
CU cuba
CV cabo verde|cape verde
CW curacao
CX christmas island
CY cyprus
CZ czech republic|czechia
DE germany
DJ djibouti
DK denmark
DM dominica
DO dominican republic
DZ algeria
EC ecuador
EE estonia
EG egypt
EH western sahara
ER eritrea
ES spain
ET ethiopia
FI finland
FJ fiji
FK falkland islands
FM micronesia
FO faroe islands
FR france
GA gabon
GB uk|united kingdom
GD grenada
GE georgia
GF french guiana
GG guernsey
GH ghana
GI gibraltar
GL greenland
GM gambia|the gambia
GN guinea
GP guadeloupe
GQ equatorial guinea
GR greece
GS south georgia and south sandwich islands
GT guatemala
GU guam
GW guinea bissau
GY guyana
HK hong kong|hong kong sar china
HM heard and mcdonald islands
HN honduras
HR croatia
HT haiti
HU hungary
ID indonesia
IE ireland
IL israel
IM isle of man
IN india
IO british indian ocean territory
IQ iraq
IR iran|iran islamic republic of
IS iceland
IT italy
JE jersey
JM jamaica
JO hashemite kingdom of jordan|jordan
JP japan
KE kenya
KG kyrgyzstan
KH cambodia
KI kiribati
KM comoros
KN saint kitts and nevis|st kitts and nevis
KP north korea
KR korea republic of|republic of korea|south korea
KW kuwait
KY cayman islands
KZ kazakhstan
LA lao people s democratic republic|laos
LB lebanon
LC saint lucia|st lucia
LI liechtenstein
LK sri lanka
LR liberia
LS lesotho
LT lithuania|republic of lithuania
LU luxembourg
LV latvia
LY libya
MA morocco
MC monaco
MD moldova|moldova republic of|republic of moldova
ME montenegro
MF saint martin|st martin
MG madagascar
MH marshall islands
MK macedonia|north macedonia
ML mali
MM burma|myanmar|myanmar burma
MN mongolia
MO macao|macao sar china|macau
MP northern mariana islands
MQ martinique
MR mauritania
MS montserrat
MT malta
MU mauritius
MV maldives
MW malawi
MX mexico
MY malaysia
MZ mozambique
NA namibia
NC new caledonia
NE niger
NF norfolk island
NG nigeria
NI nicaragua
NL netherlands|the netherlands
NO norway
NP nepal
NR nauru
NU niue
NZ new zealand
OM oman
PA panama
PE peru
PF french polynesia
PG papua new guinea
PH philippines
PK pakistan
PL poland
PM st pierre and miquelon
PN pitcairn islands
PR puerto rico
PS palestine|palestine state of|palestinian territories|palestinian territory
PT portugal
PW palau
PY paraguay
QA qatar
RE reunion
RO romania
RS serbia
RU russia|russian federation
RW rwanda
SA saudi arabia
SB solomon islands
SC seychelles
SD sudan
SE sweden
SG singapore
SH st helena
SI slovenia
SJ svalbard and jan mayen
SK slovakia
SL sierra leone
SM san marino
SN senegal
SO somalia
SR suriname
SS south sudan
ST sao tome and principe
SV el salvador
SX sint maarten
SY syria|syrian arab republic
SZ eswatini|swaziland
TC turks and caicos islands
TD chad
TF french southern territories
TG togo
TH thailand
TJ tajikistan
TK tokelau
TL east timor|timor leste
TM turkmenistan
TN tunisia
TO tonga
TR turkey|turkiye|turkiye turkey
TT trinidad and tobago
TV tuvalu
TW taiwan|taiwan province of china
TZ tanzania|tanzania united republic of
UA ukraine
UG uganda
UM u s outlying islands
US united states|united states of america|usa
UY uruguay
UZ uzbekistan
VA vatican city
VC saint vincent and the grenadines|st vincent and grenadines
VE venezuela|venezuela bolivarian republic of
VG british virgin islands
VI u s virgin islands
VN viet nam|vietnam
VU vanuatu
WF wallis and futuna
WS samoa
XK kosovo
YE yemen
YT mayotte
ZA south africa
ZM zambia
ZW zimbabwe
"""

_CODES = {name: line[:2] for line in _NAMES.strip().splitlines() for name in line[3:].split("|")}


def country_code(name: object) -> str | None:
    """The code of a country by its English name; a code of two letters stays; None when it is not known."""
    if not isinstance(name, str):
        return None
    if re.fullmatch(r"[A-Za-z]{2}", name.strip()):
        return name.strip().upper()
    plain = (
        unicodedata.normalize("NFKD", name.casefold().replace("&", "and")).encode("ascii", "ignore").decode()
    )
    return _CODES.get(re.sub(r"[^a-z]+", " ", plain).strip())
