"""API keys: row S10."""

from __future__ import annotations

import json
import stat

import pytest
from tests.apps.server.conftest import problem_of

from earmark.apps.cli import main
from earmark.apps.server.keys import Keys
from earmark.apps.server.logs import JsonLines
from earmark.errors import OptionError


def test_a_key_is_known_by_its_digest_alone(tmp_path):
    keys = Keys(tmp_path / "deep" / "keys.json")
    key = keys.add("phone", ("identify",))
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600
    assert key not in keys.path.read_text()
    assert keys.find(key).name == "phone"
    assert keys.find(key + "x") is None
    assert keys.find("x" * 10**6) is None
    keys.remove("phone")
    assert keys.find(key) is None


def test_keys_that_cannot_be_are_refused(tmp_path):
    keys = Keys(tmp_path / "keys.json")
    keys.add("phone", ("identify",))
    for name, scopes, said in (
        ("phone", ("identify",), "choose another"),
        ("", ("manage",), "printed"),
        ("x", ("all",), "all"),
    ):
        with pytest.raises(OptionError, match=said):
            keys.add(name, scopes)
    with pytest.raises(OptionError, match="no key 'other'"):
        keys.remove("other")


def test_a_file_that_others_may_read_or_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "keys.json"
    Keys(path).add("phone", ("identify",))
    path.chmod(0o644)
    with pytest.raises(OptionError, match="chmod 600"):
        Keys(path).all()
    path.write_text("{")
    path.chmod(0o600)
    with pytest.raises(OptionError, match="no file of keys"):
        Keys(path).all()


def test_the_command_makes_lists_and_forgets_them(tmp_path, capsys):
    path = str(tmp_path / "keys.json")
    assert main(["serve", "keys", "--keys", path, "--add", "phone", "--scope", "manage", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert Keys(tmp_path / "keys.json").find(made["key"]).scopes == ("manage",)
    assert main(["serve", "keys", "--keys", path]) == 0
    assert capsys.readouterr().out.startswith("phone\tmanage\t")
    assert main(["serve", "keys", "--keys", path, "--remove", "phone"]) == 0
    assert main(["serve", "keys", "--keys", path, "--remove", "phone"]) == 2


def test_what_a_key_allows_is_allowed_and_no_more(serve, caplog):
    caplog.set_level("INFO", "earmark.server")
    with serve(keys=[("phone", "identify"), ("desk", "manage")], anyone="", read_only=False) as guarded:
        folder = guarded.settings.keys.parent
        phone, desk = ((folder / name).read_text() for name in ("phone", "desk"))

        def ask(method, path, key=None):
            return guarded.client.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})

        assert [ask("GET", "/livez").status_code, ask("GET", "/readyz").status_code] == [200, 200]
        assert ask("GET", "/v1/about").json()["scopes"] == []
        assert ask("GET", "/v1/about", phone).json()["scopes"] == ["identify"]
        refused = ask("GET", "/v1/tracks")
        assert (refused.status_code, problem_of(refused)) == (401, "no_key")
        assert problem_of(ask("GET", "/v1/tracks?nonsense=1")) == "no_key"
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert problem_of(ask("GET", "/v1/tracks", "earmark_wrong")) == "wrong_key"
        basic = guarded.client.get("/v1/tracks", auth=("phone", phone))
        assert (problem_of(basic), "Bearer" in basic.json()["detail"]) == ("wrong_key", True)
        assert ask("GET", "/v1/tracks", phone).status_code == 200
        denied = ask("DELETE", "/v1/tracks/x", phone)
        assert (denied.status_code, problem_of(denied)) == (403, "scope")
        assert problem_of(ask("GET", "/metrics", phone)) == "scope"
        assert ask("GET", "/metrics", desk).status_code == 200
        assert problem_of(ask("DELETE", "/v1/tracks/x", desk)) == "track_not_found"
    lines = [JsonLines().format(record) for record in caplog.records]
    assert any('"caller": "key phone"' in line for line in lines)
    assert not any(phone in line or desk in line for line in lines)


def test_who_has_no_key_and_may_ask_is_told_which_key_allows_more(serve):
    with serve(anyone="identify", workers=1) as open_to_all:
        assert open_to_all.client.get("/v1/tracks").status_code == 200
        refused = open_to_all.client.delete("/v1/tracks/x")
        assert (refused.status_code, problem_of(refused)) == (401, "no_key")
        assert "show a key with the scope 'manage'" in refused.json()["detail"]
