"""Whose an app is, by the place where its package really lies."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.apps import AppConfig
from django.test import override_settings

from dbops.findings.finding import Ownership
from dbops.ownership.project import Project


def app(name: str, path: Path, label: str | None = None) -> AppConfig:
    """The config of an app whose package lies at `path`."""
    place, own_label = str(path), label or name.rpartition(".")[2]

    class Config(AppConfig):
        path = place
        label = own_label

    return Config(name, ModuleType(name))


def package(*parts: str | Path) -> Path:
    path = Path(*parts)
    path.mkdir(parents=True)
    (path / "__init__.py").touch()
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    return root


def test_an_app_below_the_root_is_mine(root: Path) -> None:
    assert Project(root).ownership(app("apps.shop", package(root, "apps", "shop"))) is Ownership.MINE


def test_an_app_beside_the_root_or_without_any_root_is_not(root: Path) -> None:
    outside = app("shop", package(root.parent, "project-of-another", "shop"))
    assert Project(root).ownership(outside) is Ownership.THIRD_PARTY
    assert Project(None).ownership(app("shop", package(root, "shop"))) is Ownership.THIRD_PARTY


def test_djangos_own_apps_are_contrib_wherever_they_lie(root: Path) -> None:
    assert Project(root).ownership(app("django.contrib.auth", root / "django/contrib/auth")) is Ownership.CONTRIB
    assert Project(root).ownership(app("djangoish", package(root, "djangoish"))) is Ownership.MINE


@pytest.mark.parametrize("installed", ["site-packages", "dist-packages"])
def test_an_environment_inside_the_project_is_not_the_project(root: Path, installed: str) -> None:
    place = package(root, ".venv", "lib", "python3", installed, "vendor")
    assert Project(root).ownership(app("vendor", place)) is Ownership.THIRD_PARTY


def test_an_environment_that_is_only_linked_into_the_project_is_not_the_project_either(root: Path) -> None:
    package(root.parent, "environments", "vendor")
    (root / "site-packages").symlink_to(root.parent / "environments")
    assert Project(root).ownership(app("vendor", root / "site-packages" / "vendor")) is Ownership.THIRD_PARTY


def test_an_editable_install_is_mine_inside_the_root_and_not_outside(root: Path) -> None:
    inside, outside = package(root, "libs", "billing", "src", "billing"), package(root.parent, "src", "billing")
    assert Project(root).ownership(app("billing", inside)) is Ownership.MINE
    assert Project(root).ownership(app("billing", outside)) is Ownership.THIRD_PARTY


def test_a_link_out_of_site_packages_into_the_project_is_mine(root: Path) -> None:
    link = root / ".venv/lib/site-packages/shop"
    link.parent.mkdir(parents=True)
    link.symlink_to(package(root, "src", "shop"))
    assert Project(root).ownership(app("shop", link)) is Ownership.MINE


def test_a_link_out_of_the_project_is_mine_unless_it_leads_to_an_installed_package(root: Path) -> None:
    shared, installed = root / "shared", root / "vendored"
    shared.symlink_to(package(root.parent, "elsewhere", "shared"))
    installed.symlink_to(package(root.parent, "env", "site-packages", "vendored"))
    assert Project(root).ownership(app("shared", shared)) is Ownership.MINE
    assert Project(root).ownership(app("vendored", installed)) is Ownership.THIRD_PARTY


def test_a_root_reached_through_a_link_is_the_same_root(root: Path) -> None:
    link = root.parent / "current"
    link.symlink_to(root)
    shop = package(root, "shop")
    assert Project(link).ownership(app("shop", shop)) is Ownership.MINE
    assert Project(root).ownership(app("shop", link / "shop")) is Ownership.MINE


def test_what_pip_put_into_a_directory_of_the_project_is_third_party(root: Path) -> None:
    vendor, billing = package(root, "lib", "vendor", "deep"), package(root, "lib", "billing")
    record = root / "lib/vendor-1.0.dist-info/RECORD"
    record.parent.mkdir()
    record.write_text("vendor/__init__.py,,\nvendor/deep/__init__.py,,\nvendor-1.0.dist-info/RECORD,,\n")
    assert Project(root).ownership(app("vendor.deep", vendor)) is Ownership.THIRD_PARTY
    assert Project(root).ownership(app("billing", billing)) is Ownership.MINE


def test_a_namespace_package_is_judged_by_the_path_its_config_names(root: Path) -> None:
    place = root / "company" / "shop"
    place.mkdir(parents=True)
    assert Project(root).ownership(app("company.shop", place)) is Ownership.MINE


def test_an_app_in_a_zip_file_of_the_project_is_mine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(root / "apps.zip", "w") as archive:
        archive.writestr("zipped_shop/__init__.py", "")
    monkeypatch.syspath_prepend(str(root / "apps.zip"))
    assert Project(root).ownership(AppConfig.create("zipped_shop")) is Ownership.MINE
    assert Project(root.parent / "other").ownership(AppConfig.create("zipped_shop")) is Ownership.THIRD_PARTY


def test_own_apps_decide_alone_by_label_or_module(root: Path) -> None:
    installed = package(root, ".venv", "site-packages", "company")
    project = Project(root, ["company.*", "bill"])
    assert project.ownership(app("company.shop", installed)) is Ownership.MINE
    assert project.ownership(app("company_billing", installed, label="bill")) is Ownership.MINE
    assert project.ownership(app("company", installed)) is Ownership.THIRD_PARTY
    assert project.ownership(app("local", package(root, "local"))) is Ownership.THIRD_PARTY
    assert project.ownership(app("django.contrib.auth", installed, label="auth")) is Ownership.CONTRIB


def test_no_patterns_are_as_good_as_none(root: Path) -> None:
    assert Project(root, []).ownership(app("shop", package(root, "shop"))) is Ownership.MINE


def settings_module(monkeypatch: pytest.MonkeyPatch, name: str, file: Path, **attributes: Any) -> None:
    module = ModuleType(name)
    module.__file__ = str(file)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def root_of(name: str | None, **settings: Any) -> Path | None:
    with override_settings(SETTINGS_MODULE=name, **{"BASE_DIR": None, **settings}):
        return Project.of_settings().root


def test_the_root_is_base_dir_as_text_or_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_module(monkeypatch, "conf.settings", root.parent / "conf" / "settings.py")
    assert root_of("conf.settings", BASE_DIR=root) == root
    assert root_of("conf.settings", BASE_DIR=str(root)) == root


def test_without_base_dir_the_root_holds_the_settings_package(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_module(monkeypatch, "conf.settings.production", root / "conf/settings/production.py")
    settings_module(monkeypatch, "conf.split", root / "conf/split/__init__.py", __path__=[])
    settings_module(monkeypatch, "flat", root / "flat.py")
    assert {root_of(name) for name in ("conf.settings.production", "conf.split", "flat")} == {root}


def test_a_base_dir_inside_the_settings_package_does_not_narrow_the_project(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_module(monkeypatch, "conf.settings", package(root, "conf") / "settings.py")
    assert root_of("conf.settings", BASE_DIR=root / "conf") == root
    (root / "conf" / "manage.py").touch()
    assert root_of("conf.settings", BASE_DIR=root / "conf") == root / "conf"


def test_settings_made_in_code_leave_the_running_scripts_place(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_module(monkeypatch, "__main__", root / "app.py")
    assert root_of(None) == root
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert root_of(None) is None


def test_this_projects_own_apps_are_mine() -> None:
    from django.apps import apps

    project = Project.of_settings()
    assert project.ownership(apps.get_app_config("dbops")) is Ownership.MINE
    assert project.ownership(apps.get_app_config("sessions")) is Ownership.CONTRIB
