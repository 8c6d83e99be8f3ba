"""Installing a release: every packing of the official files, clear sentences for damage, downloads."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from economic_index.commands import taxonomy as command
from economic_index.errors import UserError
from economic_index.taxonomy.install import Sources, install_release, list_releases, soc_vintage
from economic_index.taxonomy.official import wage_release

# Files of the official shape with statements of our own.
FILES = {
    "Occupation Data": "O*NET-SOC Code\tTitle\tDescription\n"
    "15-1252.00\tMakers of Programs\tWrite and mend \"programs\".\n"
    "51-3011.00\tBakers\tBake.\n"
    "55-1011.00\tOfficers\tLead.\n",
    "Task Statements": "O*NET-SOC Code\tTask ID\tTask\tTask Type\tIncumbents Responding\tDate\t"
    "Domain Source\n"
    "15-1252.00\t101\tMend programs, including \"old\" ones.\tCore\t12\t08/2023\tIncumbent\n"
    "51-3011.00\t102\tKnead dough – by hand.\tn/a\tn/a\t08/2023\tIncumbent\n"
    "51-3011.00\t103\tClean ovens.\tSupplemental\t9\t08/2023\tIncumbent\n",
    "Job Zones": "O*NET-SOC Code\tJob Zone\tDate\tDomain Source\n15-1252.00\t4\t08/2023\tAnalyst\n"
    "51-3011.00\t2\t08/2023\tAnalyst\n",
    "IWA Reference": "Element ID\tIWA ID\tIWA Title\n4.A.1\t4.A.1.I01\tMend things.\n",
    "DWA Reference": "Element ID\tIWA ID\tDWA ID\tDWA Title\n"
    "4.A.1\t4.A.1.I01\t4.A.1.I01.D01\tMend programs.\n",
    "Tasks to DWAs": "O*NET-SOC Code\tTask ID\tDWA ID\tDate\tDomain Source\n"
    "15-1252.00\t101\t4.A.1.I01.D01\t08/2023\tAnalyst\n",
}  # fmt: skip
OEWS = (
    "AREA,AREA_TITLE,AREA_TYPE,I_GROUP,OCC_CODE,OCC_TITLE,O_GROUP,TOT_EMP,H_MEAN,A_MEAN,H_MEDIAN,A_MEDIAN\n"
    '99,U.S.,1,cross-industry,00-0000,All,total,"151,853,870",31.48,65470,23.11,48060\n'
    '99,U.S.,1,cross-industry,15-1252,"Developers, Software",detailed,1656880,66.4,138110,63.59,#\n'
    "99,U.S.,1,cross-industry,27-2011,Actors,detailed,**,*,*,20.5,*\n"
    "99,U.S.,1,sector,15-1252,Developers,detailed,7,1,1,1,1\n"
    "1,Alabama,2,cross-industry,15-1252,Developers,detailed,8,1,1,1,1\n"
)
CROSSWALK = (
    "O*NET-SOC 2010 Code,O*NET-SOC 2010 Title,O*NET-SOC 2019 Code,O*NET-SOC 2019 Title\n"
    '15-1132.00,"Developers, Applications",15-1252.00,Developers\n51-3011.00,Bakers,51-3011.00,Bakers\n'
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "seeds").mkdir(parents=True)
    monkeypatch.setenv("ECONOMIC_INDEX_PROJECT", str(root))
    monkeypatch.delenv("ECONOMIC_INDEX_TAXONOMY", raising=False)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "official")


@pytest.fixture
def wages(tmp_path: Path) -> Path:
    path = tmp_path / "oews_national_may_2023.csv"
    path.write_text(OEWS, encoding="utf-8")
    return path


def write_files(folder: Path, files: dict[str, str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for title, text in (files or FILES).items():
        (folder / f"{title}.txt").write_text(text, encoding="utf-8")
    return folder


def rows(project: Path, seed: str, release: str = "29.1") -> list[dict[str, str]]:
    with (project / "seeds" / "installed" / release / f"{seed}.csv").open(
        encoding="utf-8", newline=""
    ) as file:
        return list(csv.DictReader(file))


def changed(title: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[title]
    return {**FILES, title: FILES[title].replace(old, new)}


def test_plain_files(project: Path, folder: Path, wages: Path) -> None:
    done = install_release("29.1", Sources(from_dir=folder, oews=wages))
    assert (done.soc_vintage, done.wage_release, done.notes) == ("2019", "May 2023", [])
    assert done.setting() == "ECONOMIC_INDEX_TAXONOMY=seeds/installed/29.1"
    assert rows(project, "onet_occupations")[0]["description"] == 'Write and mend "programs".'
    assert [row["task"] for row in rows(project, "onet_task_statements")][1] == "Knead dough – by hand."
    assert rows(project, "onet_task_statements")[1]["task_type"] == ""
    assert rows(project, "taxonomy_release")[0]["is_sample"] == "false"
    assert "CC BY 4.0" in rows(project, "taxonomy_release")[0]["source"]
    assert rows(project, "onet_soc_crosswalk") == []
    # National rows over all industries only, marks and separators as printed: staging reads them.
    assert [row["tot_emp"] for row in rows(project, "bls_oews_national")] == ["151,853,870", "1656880", "**"]
    assert rows(project, "bls_oews_national")[1]["a_median"] == "#"


def test_every_packing_gives_the_same_seeds(project: Path, tmp_path: Path, wages: Path) -> None:
    plain = write_files(tmp_path / "plain")
    zipped, windows, packed = tmp_path / "zipped", tmp_path / "windows", tmp_path / "packed"
    for place in (zipped, windows, packed):
        place.mkdir()
    with zipfile.ZipFile(zipped / "db_29_1_text.zip", "w") as archive:
        for title, text in FILES.items():
            archive.writestr(f"db_29_1_text/{title}.txt", text)
    for title, text in FILES.items():
        body = text.replace("\n", "\r\n")
        (windows / f"{title}.txt").write_bytes(b"\xef\xbb\xbf" + body.encode())
        encoding = "utf-16" if title == "Job Zones" else "cp1252"
        (packed / f"{title}.txt.gz").write_bytes(gzip.compress(text.encode(encoding)))
    seen = []
    for place in (plain, zipped, zipped / "db_29_1_text.zip", windows, packed):
        install_release("29.1", Sources(from_dir=place, oews=wages))
        seen.append(
            {
                seed: rows(project, seed)
                for seed in ("onet_occupations", "onet_task_statements", "onet_job_zones")
            }
        )
    assert all(each == seen[0] for each in seen)


def test_wages_as_csv_workbook_and_zip_are_the_same(
    project: Path, folder: Path, wages: Path, tmp_path: Path
) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in csv.reader(io.StringIO(OEWS)):
        book.active.append([int(cell) if cell.isdecimal() else cell for cell in row])
    workbook = tmp_path / "national_M2023_dl.xlsx"
    book.save(workbook)
    archive_path = tmp_path / "oesm23nat.zip"
    with zipfile.ZipFile(archive_path, "w") as archive:
        archive.write(workbook, "oesm23nat/national_M2023_dl.xlsx")
        archive.writestr("oesm23nat/field_descriptions.xlsx", b"not a workbook, never opened")
    seen = []
    for path in (wages, workbook, archive_path):
        done = install_release("29.1", Sources(from_dir=folder, oews=path))
        assert done.wage_release == "May 2023"
        seen.append(rows(project, "bls_oews_national"))
    assert seen[0] == seen[1] == seen[2]


def test_older_wage_files_name_the_group_otherwise(project: Path, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "national_M2016_dl.csv"
    path.write_text("occ_code,occ_title,OCC_GROUP,tot_emp,a_mean,a_median,h_median\n15-1132,D,,5,6,7,8\n")
    assert install_release("29.1", Sources(from_dir=folder, oews=path)).wage_release == "May 2016"
    assert rows(project, "bls_oews_national")[0]["o_group"] == "detailed"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oesm23nat.zip", "May 2023"),
        ("national_M2022_dl.xlsx", "May 2022"),
        ("oews_national_may_2023.csv", "May 2023"),
        ("wages.csv", None),
    ],
)
def test_wage_release_from_the_file_name(name: str, expected: str | None) -> None:
    assert wage_release(name) == expected


@pytest.mark.parametrize("title", ["Occupation Data", "Task Statements", "Job Zones", "DWA Reference"])
def test_a_missing_column_is_named_with_its_file(tmp_path: Path, wages: Path, title: str) -> None:
    column = {"Occupation Data": "Title", "Task Statements": "Task ID", "Job Zones": "Job Zone"}.get(
        title, "DWA ID"
    )
    place = write_files(tmp_path / "broken", changed(title, f"\t{column}", "\tSomething"))
    with pytest.raises(UserError, match=rf"{title}\.txt lacks the column '{column}'"):
        install_release("29.1", Sources(from_dir=place, oews=wages))


def test_a_missing_wage_column_is_named(folder: Path, wages: Path) -> None:
    wages.write_text(OEWS.replace("A_MEDIAN", "MEDIAN"))
    with pytest.raises(UserError, match="lacks the column 'A_MEDIAN'"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))


@pytest.mark.parametrize(
    ("title", "old", "new", "message"),
    [
        (
            "Task Statements",
            "51-3011.00\t103",
            "51-3011\t103",
            "Row 4 of onet_task_statements has no O.NET-SOC code",
        ),
        ("Task Statements", "\t103\t", "\tx\t", "Row 4 of onet_task_statements has no whole number"),
        (
            "Task Statements",
            "\tSupplemental\t9\t08/2023\tIncumbent",
            "",
            "Line 4 of Task Statements.txt has 3 of 7",
        ),
        ("Job Zones", "\t4\t", "\t9\t", "Row 2 of onet_job_zones has no job zone from 1 to 5"),
        ("Job Zones", "51-3011.00", "15-1252.00", "stands twice in onet_job_zones"),
        ("Occupation Data", "51-3011.00", "15-1252.00", "stands twice in onet_occupations"),
    ],
)
def test_damaged_rows_are_named(
    tmp_path: Path, wages: Path, title: str, old: str, new: str, message: str
) -> None:
    place = write_files(tmp_path / "broken", changed(title, old, new))
    with pytest.raises(UserError, match=message):
        install_release("29.1", Sources(from_dir=place, oews=wages))


def test_a_task_without_occupation_is_kept_and_counted(project: Path, tmp_path: Path, wages: Path) -> None:
    place = write_files(tmp_path / "odd", changed("Task Statements", "51-3011.00\t103", "99-9999.00\t103"))
    done = install_release("29.1", Sources(from_dir=place, oews=wages))
    assert done.notes == [
        "1 task statements belong to no occupation of the list; the model task_statements lists them."
    ]
    assert len(rows(project, "onet_task_statements")) == 3


def test_an_occupation_without_zone_or_wage_is_kept(project: Path, folder: Path, wages: Path) -> None:
    install_release("29.1", Sources(from_dir=folder, oews=wages))
    assert "55-1011.00" in {row["onet_soc_code"] for row in rows(project, "onet_occupations")}
    assert "55-1011.00" not in {row["onet_soc_code"] for row in rows(project, "onet_job_zones")}


@pytest.mark.parametrize("missing", ["Task Statements", "Occupation Data", "Job Zones"])
def test_a_missing_file_is_named(folder: Path, wages: Path, missing: str) -> None:
    (folder / f"{missing}.txt").unlink()
    with pytest.raises(UserError, match=f"The file '{missing}' was not found"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))


def test_missing_files_may_be_allowed(project: Path, folder: Path) -> None:
    for title in ("Job Zones", "IWA Reference", "DWA Reference", "Tasks to DWAs"):
        (folder / f"{title}.txt").unlink()
    with pytest.raises(UserError, match="--oews"):
        install_release("29.1", Sources(from_dir=write_files(folder)))
    (folder / "Job Zones.txt").unlink()
    done = install_release("29.1", Sources(from_dir=folder, allow_missing=True))
    assert done.wage_release == "none"
    assert len(done.notes) == 2
    assert rows(project, "onet_job_zones") == []
    header = (project / "seeds/installed/29.1/bls_oews_national.csv").read_text()
    assert header == "occ_code,occ_title,o_group,tot_emp,a_mean,a_median,h_median\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"O*NET-SOC Code\tJob Zone\n", "has a header but no rows"),
        (b"\x1f\x8bbroken", "lacks"),
    ],
)
def test_damaged_files_are_named(folder: Path, wages: Path, content: bytes, message: str) -> None:
    (folder / "Job Zones.txt").write_bytes(content)
    with pytest.raises(UserError, match=f"Job Zones.txt {message}"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))


def test_damaged_archives_are_named(folder: Path, wages: Path) -> None:
    (folder / "Job Zones.txt").unlink()
    (folder / "Job Zones.txt.gz").write_bytes(gzip.compress(FILES["Job Zones"].encode())[:-9])
    with pytest.raises(UserError, match=r"Job Zones.txt.gz cannot be unpacked"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))
    (folder / "db.zip").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(UserError, match=r"db.zip is not a complete zip file"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))
    wages.write_bytes(b"PK\x03\x04 no workbook")
    (folder / "db.zip").unlink()
    write_files(folder)
    with pytest.raises(UserError, match="cannot be read as a workbook"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))


def test_a_failed_installation_changes_nothing(project: Path, folder: Path, wages: Path) -> None:
    install_release("29.1", Sources(from_dir=folder, oews=wages))
    before = {path.name: path.read_bytes() for path in (project / "seeds/installed/29.1").iterdir()}
    (folder / "Job Zones.txt").write_text("O*NET-SOC Code\tZone\n15-1252.00\t4\n")
    with pytest.raises(UserError):
        install_release("29.1", Sources(from_dir=folder, oews=wages))
    assert {path.name: path.read_bytes() for path in (project / "seeds/installed/29.1").iterdir()} == before
    assert [path.name for path in (project / "seeds/installed").iterdir()] == ["29.1"]


@pytest.mark.parametrize("release", ["29", "29.1/..", "../29.1", "latest", ""])
def test_release_names_are_checked(folder: Path, wages: Path, release: str) -> None:
    with pytest.raises(UserError, match=r"write it like 29\.1"):
        install_release(release, Sources(from_dir=folder, oews=wages))


def test_another_release_in_the_folder_is_refused(folder: Path, wages: Path) -> None:
    (folder / "Read Me.txt").write_text("O*NET 28.3 Database\n")
    with pytest.raises(UserError, match=r"holds O\*NET 28.3, not 29.1"):
        install_release("29.1", Sources(from_dir=folder, oews=wages))


def test_codes_of_2010_need_the_crosswalk(project: Path, tmp_path: Path, wages: Path) -> None:
    files = {title: text.replace("15-1252.00", "15-1132.00") for title, text in FILES.items()}
    place = write_files(tmp_path / "old", files)
    walk = tmp_path / "walk.csv"
    walk.write_text(CROSSWALK)
    with pytest.raises(UserError, match="give it with --crosswalk"):
        install_release("20.1", Sources(from_dir=place, oews=wages))
    done = install_release("20.1", Sources(from_dir=place, oews=wages, crosswalk=walk))
    assert done.soc_vintage == "2010"
    assert rows(project, "taxonomy_release", "20.1")[0]["soc_vintage"] == "2010"
    assert rows(project, "onet_soc_crosswalk", "20.1")[0]["onet_soc_2019_code"] == "15-1252.00"


@pytest.mark.parametrize(
    ("codes", "release", "expected"),
    [
        (["15-1132.00"], "30.0", "2010"),
        (["15-1252.00"], "20.1", "2019"),
        (["11-1011.00"], "25.0", "2010"),
        (["11-1011.00"], "25.1", "2019"),
    ],
)
def test_vintage_is_read_from_the_codes(codes: list[str], release: str, expected: str) -> None:
    assert soc_vintage(codes, {}, release) == expected


def test_occupations_from_statements_that_carry_titles(project: Path, tmp_path: Path, wages: Path) -> None:
    place = tmp_path / "csv"
    place.mkdir()
    text = 'O*NET-SOC Code,Title,Task ID,Task,Task Type\n51-3011.00,Bakers,7,"Knead, then rest.",Core\n'
    (place / "onet_task_statements.csv").write_text(text)
    install_release("29.1", Sources(from_dir=place, oews=wages, allow_missing=True))
    assert rows(project, "onet_occupations") == [
        {"onet_soc_code": "51-3011.00", "title": "Bakers", "description": ""}
    ]
    assert rows(project, "onet_task_statements")[0]["task"] == "Knead, then rest."


class Server:
    """Serves a folder; ``cut`` ends answers early, ``asked`` lists the paths."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cut, self.asked = folder, False, list[str]()
        outer = self

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if not outer.cut:
                    super().do_GET()
                    return
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"PK half")

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/files"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    place = tmp_path / "www" / "files"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "db_29_1_text.zip", "w") as archive:
        for title, text in FILES.items():
            archive.writestr(f"db_29_1_text/{title}.txt", text.replace("\n", "\r\n"))
    with zipfile.ZipFile(place / "oesm23nat.zip", "w") as archive:
        archive.writestr("oesm23nat/national_M2023_dl.csv", OEWS)
    (place / "2010_to_2019_Crosswalk.csv").write_text(CROSSWALK)
    serving = Server(tmp_path / "www")
    yield serving
    serving.http.shutdown()
    serving.http.server_close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_download_records_checksums_and_reuses_the_files(project: Path, server: Server) -> None:
    done = install_release("29.1", Sources(base_url=server.url))
    assert done.rows["onet_task_statements"] == 3
    assert done.rows["onet_soc_crosswalk"] == 2
    recorded = json.loads((project / "seeds/installed/29.1/checksums.json").read_text())["downloads"]
    assert recorded["db_29_1_text.zip"]["sha256"] == sha256(server.folder / "files/db_29_1_text.zip")
    assert len(server.asked) == 3
    install_release("29.1", Sources(base_url=server.url))
    assert len(server.asked) == 3, "files with the recorded checksum are not fetched again"


def test_a_file_that_changed_since_the_first_download_is_refused(project: Path, server: Server) -> None:
    install_release("29.1", Sources(base_url=server.url))
    before = (project / "seeds/installed/29.1/onet_soc_crosswalk.csv").read_bytes()
    (server.folder / "files/2010_to_2019_Crosswalk.csv").write_text(CROSSWALK + "x,x,x,x\n")
    (project / "seeds/installed/.downloads/29.1/2010_to_2019_Crosswalk.csv").unlink()
    with pytest.raises(UserError, match=r"SHA-256 of 2010_to_2019_Crosswalk.csv is .* nothing was installed"):
        install_release("29.1", Sources(base_url=server.url))
    assert (project / "seeds/installed/29.1/onet_soc_crosswalk.csv").read_bytes() == before
    assert not (project / "seeds/installed/.downloads/29.1/2010_to_2019_Crosswalk.csv").exists()
    # The user's word wins over the record.
    given = {"2010_to_2019_Crosswalk.csv": sha256(server.folder / "files/2010_to_2019_Crosswalk.csv")}
    assert install_release("29.1", Sources(base_url=server.url, sha256=given)).rows["onet_soc_crosswalk"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"db_29_1_text.zip": "0" * 64}, "was expected; nothing was installed"),
        ({"db_29_1_text.zip": "abc"}, "64 hexadecimal digits"),
        ({"other.zip": "0" * 64}, "--sha256 names other.zip"),
    ],
)
def test_given_checksums_are_held(project: Path, server: Server, given: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        install_release("29.1", Sources(base_url=server.url, sha256=given))
    assert not (project / "seeds/installed/29.1").exists()


def test_download_failures_are_one_sentence(server: Server) -> None:
    with pytest.raises(UserError, match=r"The server answered 404 .*db_30_0_text.zip.*--from-dir"):
        install_release("30.0", Sources(base_url=server.url))
    server.cut = True
    with pytest.raises(UserError, match=r"db_29_1_text.zip.*(ended after 7 of 1000|could not be downloaded)"):
        install_release("29.1", Sources(base_url=server.url))
    with pytest.raises(UserError, match=r"could not be downloaded .*--from-dir"):
        install_release("29.1", Sources(base_url="http://127.0.0.1:1"))
    with pytest.raises(UserError, match="is not a web address"):
        install_release("29.1", Sources(base_url="file:///tmp"))


@pytest.fixture
def app() -> typer.Typer:
    application = typer.Typer()
    command.register(application)
    return application


def test_command_prints_one_document(app: typer.Typer, project: Path, folder: Path, wages: Path) -> None:
    arguments = ["taxonomy", "install", "--release", "29.1", "--from-dir", str(folder), "--oews", str(wages)]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["setting"] == "ECONOMIC_INDEX_TAXONOMY=seeds/installed/29.1"
    plain = CliRunner().invoke(app, arguments)
    assert "export ECONOMIC_INDEX_TAXONOMY=seeds/installed/29.1" in plain.stdout
    (project / "seeds/installed/29.1/onet_job_zones.csv").write_text("onet_soc_code,job_zone\n")
    listed = json.loads(CliRunner().invoke(app, ["taxonomy", "list", "--json"]).stdout)
    assert [(entry["release"], entry["occupations"], entry["in_use"]) for entry in listed] == [
        ("29.1", 3, False)
    ]
    assert listed[0]["changed_files"] == ["onet_job_zones.csv"]
    assert "changed: onet_job_zones.csv" in CliRunner().invoke(app, ["taxonomy", "list"]).stdout


def test_sha256_option_form(app: typer.Typer, project: Path) -> None:
    result = CliRunner().invoke(app, ["taxonomy", "install", "--release", "29.1", "--sha256", "nonsense"])
    assert isinstance(result.exception, UserError)
    assert "NAME=HEX" in str(result.exception)


def data_folder() -> Path:
    given = os.environ.get("ECONOMIC_INDEX_DATA")
    return Path(given) if given else Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.data
def test_official_29_1(project: Path) -> None:
    data = data_folder()
    if not (data / "onet" / "29.1").is_dir():
        pytest.skip("the official O*NET 29.1 files are not beside the checkout (ECONOMIC_INDEX_DATA)")
    done = install_release(
        "29.1", Sources(from_dir=data / "onet" / "29.1", oews=data / "bls" / "oews_national_may_2023.csv")
    )
    assert (done.soc_vintage, done.wage_release) == ("2019", "May 2023")
    assert done.rows["onet_occupations"] == 1016
    assert done.rows["onet_task_statements"] == 18_796
    assert done.notes == []
    from economic_index.taxonomy.releases import read_links, read_tasks

    assert len(read_tasks(done.folder)) == 17_535
    assert len(read_links(done.folder)) > 20_000
    assert [entry["release"] for entry in list_releases()] == ["29.1"]


@pytest.mark.data
def test_official_20_1_has_codes_of_2010(project: Path, tmp_path: Path) -> None:
    data = data_folder()
    statements = data / "aei" / "release_2025_02_10" / "onet_task_statements.csv"
    if not statements.is_file():
        pytest.skip("the O*NET 20.1 statements are not beside the checkout (ECONOMIC_INDEX_DATA)")
    place = tmp_path / "20.1"
    place.mkdir()
    (place / statements.name).write_bytes(statements.read_bytes())
    (place / "Job Zones.txt").write_bytes((data / "onet" / "29.1" / "Job Zones.txt").read_bytes())
    done = install_release(
        "20.1",
        Sources(
            from_dir=place,
            oews=data / "bls" / "oews_national_may_2023.csv",
            crosswalk=data / "onet" / "crosswalk_2010_to_2019.csv",
        ),
    )
    assert (done.soc_vintage, done.rows["onet_occupations"], done.rows["onet_task_statements"]) == (
        "2010",
        974,
        19_530,
    )
    from economic_index.taxonomy.releases import read_tasks

    assert len(read_tasks(done.folder)) == 18_428
