"""The owners of everything in the database of a whole project, made by its own migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.ownership.generated_project import GeneratedProject

if TYPE_CHECKING:
    from pathlib import Path

FIRST = """
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType

class User(AbstractUser):
    pass

class Customer(models.Model):
    name = models.CharField(max_length=50, db_column="Full Name")
    class Meta:
        db_table = "Mixed Case Customers"

class Order(models.Model):
    user = models.ForeignKey(User, models.CASCADE, db_column="buyer")
    number = models.IntegerField()

class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    content_object = GenericForeignKey()

class Place(models.Model):
    name = models.CharField(max_length=50)

class Restaurant(Place):
    stars = models.SmallIntegerField()
"""
SECOND = """
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType

class User(AbstractUser):
    pass

class Customer(models.Model):
    name = models.CharField(max_length=50, db_column="Full Name", unique=True)
    class Meta:
        db_table = "Mixed Case Customers"

class Order(models.Model):
    user = models.ForeignKey(User, models.CASCADE, db_column="buyer")
    number = models.IntegerField(db_index=True)
    customers = models.ManyToManyField(Customer)
    places = models.ManyToManyField("Place", through="Delivery")
    class Meta:
        indexes = [models.Index(fields=["user", "number"], name="order_user_number_idx")]
        constraints = [models.CheckConstraint(condition=models.Q(number__gt=0), name="order_number_positive")]
        unique_together = [("number", "user")]

class UrgentOrder(Order):
    class Meta:
        proxy = True

class Delivery(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
    place = models.ForeignKey("Place", models.CASCADE)

class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    content_object = GenericForeignKey()

class Label(Tag):
    text = models.CharField(max_length=50)

class Place(models.Model):
    name = models.CharField(max_length=50)

class Restaurant(Place):
    stars = models.SmallIntegerField(db_index=True)

class Long(models.Model):
    value = models.IntegerField(unique=True)
    class Meta:
        db_table = "t" * 70

class Accented(models.Model):
    class Meta:
        db_table = "é" * 40

class Archived(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
    class Meta:
        db_table = 'archive"."order'

class Quoted(models.Model):
    class Meta:
        db_table = '"Quoted by hand"'

class Report(models.Model):
    total = models.IntegerField(db_column="sum")
    class Meta:
        managed = False
        db_table = "report"

class OrderReport(models.Model):
    number = models.IntegerField()
    class Meta:
        managed = False
        db_table = "shop_order"
"""
BY_HAND = """
    from django.db import migrations

    class Migration(migrations.Migration):
        dependencies = [("shop", "0002_more")]
        operations = [migrations.RunSQL(
            ["CREATE INDEX shop_order_sql_idx ON shop_order (number) WHERE number > 9",
             "CREATE INDEX library_book_sql_idx ON library_book (title)"],
            reverse_sql=["DROP INDEX shop_order_sql_idx", "DROP INDEX library_book_sql_idx"],
        )]
"""
LIBRARY = """
class Book(models.Model):
    title = models.CharField(max_length=50)
    keywords = models.ManyToManyField("Keyword")

class Keyword(models.Model):
    word = models.CharField(max_length=50)
"""
NOBODYS = """
    CREATE TABLE report (id bigint PRIMARY KEY, sum integer);
    CREATE TABLE leftover (id bigint PRIMARY KEY);
    CREATE TABLE elsewhere.shop_order (id bigint PRIMARY KEY);
    CREATE INDEX by_hand_idx ON shop_order (number);
    ALTER TABLE shop_order ADD COLUMN extra integer CHECK (extra > 0);
    CREATE TABLE parted (id bigint) PARTITION BY RANGE (id);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9);
"""


def make_project(root: Path, dsn: str) -> GeneratedProject:
    """A project with an app of its own, one of a third party, and tables in several schemas."""
    installed = root / ".venv" / "lib" / "python3" / "site-packages"
    project = GeneratedProject(root, dsn, path=[installed], options={"options": "-c search_path=app,public"})
    project.settings(
        "django.contrib.auth", "django.contrib.contenttypes", "library", "shop", extra='AUTH_USER_MODEL = "shop.User"'
    )
    project.app("shop", FIRST)
    project.app("library", LIBRARY, place=installed)
    project.manage("makemigrations", "-n", "initial", "shop", "library")
    project.app("shop", SECOND)
    project.manage("makemigrations", "-n", "more", "shop")
    project.write("shop/migrations/0003_by_hand.py", BY_HAND)
    return project


@pytest.fixture(scope="module")
def project(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> GeneratedProject:
    with psycopg.connect(module_dsn, autocommit=True) as connection:
        for schema in ("app", "archive", "elsewhere"):
            connection.execute(f"CREATE SCHEMA {schema}")
        project = make_project(tmp_path_factory.mktemp("project"), module_dsn)
        project.manage("migrate")
        connection.execute("SET search_path TO app, public")
        connection.execute(NOBODYS)
    return project


@pytest.fixture(scope="module")
def owners(project: GeneratedProject) -> dict[str, Any]:
    answer = project.ask("owners")
    assert answer["note"] is None
    return dict(answer["owners"])


def test_a_table_is_found_along_the_search_path(owners: dict[str, Any]) -> None:
    assert owners["app.shop_order"] == ["mine", "shop.Order", None, "0001_initial"]
    assert owners["elsewhere.shop_order"] == ["unmanaged", None, None, None]


def test_a_table_in_a_schema_of_its_own_is_found(owners: dict[str, Any]) -> None:
    assert owners['archive."order"'] == ["mine", "shop.Archived", None, "0002_more"]
    assert owners['archive."order".order_id'] == ["mine", "shop.Archived", "order", "0002_more"]


def test_names_that_need_quotes_or_were_cut_are_found(owners: dict[str, Any]) -> None:
    assert owners['app."Mixed Case Customers"."Full Name"'] == ["mine", "shop.Customer", "name", "0001_initial"]
    assert owners['app."Quoted by hand"'][1] == "shop.Quoted"
    assert owners["app." + "t" * 63][1] == "shop.Long"
    assert owners['app."' + "é" * 31 + '"'][1] == "shop.Accented"


def test_a_column_is_its_fields_and_one_of_no_field_has_none(owners: dict[str, Any]) -> None:
    assert owners["app.shop_order.buyer"] == ["mine", "shop.Order", "user", "0001_initial"]
    assert owners["app.shop_order.extra"] == ["mine", "shop.Order", None, None]


def test_an_index_was_made_by_the_migration_that_asked_for_it(owners: dict[str, Any]) -> None:
    made = {name: owner for name, owner in owners.items() if name.startswith("index app.shop_order_")}
    by_columns = {name.partition("_order_")[2].rpartition("_")[0]: owner[2:] for name, owner in made.items()}
    assert by_columns["buyer"] == ["user", "0001_initial"]
    assert by_columns["number"] == ["number", "0002_more"]
    assert by_columns["number_buyer_" + _hash(made, "_uniq")] == [None, "0002_more"]
    assert owners["index app.order_user_number_idx"] == ["mine", "shop.Order", None, "0002_more"]
    assert owners["index app.shop_order_pkey"][2:] == ["id", "0001_initial"]


def test_an_index_of_a_migrations_own_sql_is_that_migrations(owners: dict[str, Any]) -> None:
    assert owners["index app.shop_order_sql_idx"] == ["mine", "shop.Order", "number", "0003_by_hand"]
    assert owners["index app.library_book_sql_idx"] == ["third_party", "library.Book", "title", "shop.0003_by_hand"]


def test_an_index_made_by_hand_has_no_migration(owners: dict[str, Any]) -> None:
    assert owners["index app.by_hand_idx"] == ["mine", "shop.Order", "number", None]


def test_a_constraint_was_made_by_the_migration_that_asked_for_it(owners: dict[str, Any]) -> None:
    assert owners["constraint app.shop_order.order_number_positive"][2:] == ["number", "0002_more"]
    foreign_key = next(name for name in owners if name.startswith("constraint app.shop_order.shop_order_buyer"))
    assert owners[foreign_key] == ["mine", "shop.Order", "user", "0001_initial"]
    unique = next(name for name in owners if name.startswith('constraint app."Mixed Case Customers"."Mixed Case Cus'))
    assert owners[unique] == ["mine", "shop.Customer", "name", "0002_more"]
    assert owners["constraint app.shop_order.shop_order_extra_check"] == ["mine", "shop.Order", None, None]


def test_an_automatic_many_to_many_table_is_the_fields(owners: dict[str, Any]) -> None:
    about = {name: owner for name, owner in owners.items() if "shop_order_customers" in name}
    assert len(about) > 5
    assert set(map(tuple, about.values())) == {("mine", "shop.Order", "customers", "0002_more")}


def test_a_many_to_many_table_with_a_model_is_the_models(owners: dict[str, Any]) -> None:
    assert owners["app.shop_delivery.place_id"] == ["mine", "shop.Delivery", "place", "0002_more"]


def test_the_swapped_user_is_mine_with_its_groups(owners: dict[str, Any]) -> None:
    assert owners["app.shop_user.password"] == ["mine", "shop.User", "password", "0001_initial"]
    assert owners["app.shop_user_groups"] == ["mine", "shop.User", "groups", "0001_initial"]
    assert "app.auth_user" not in owners


def test_an_inherited_field_is_the_parents_and_its_own_column_the_childs(owners: dict[str, Any]) -> None:
    assert owners["app.shop_place.name"] == ["mine", "shop.Place", "name", "0001_initial"]
    assert owners["app.shop_restaurant.place_ptr_id"] == ["mine", "shop.Restaurant", "place_ptr", "0001_initial"]
    assert owners["app.shop_restaurant.stars"] == ["mine", "shop.Restaurant", "stars", "0001_initial"]


def test_the_same_table_is_the_managed_models_not_that_of_one_who_only_reads_it(owners: dict[str, Any]) -> None:
    assert owners["app.shop_order.number"] == ["mine", "shop.Order", "number", "0001_initial"]


def test_an_unmanaged_model_is_named_but_nobody_made_its_table(owners: dict[str, Any]) -> None:
    assert owners["app.report"] == ["unmanaged", "shop.Report", None, None]
    assert owners["app.report.sum"] == ["unmanaged", "shop.Report", "total", None]


def test_tables_without_a_model_are_nobodys_but_djangos_own(owners: dict[str, Any]) -> None:
    assert owners["app.leftover"] == ["unmanaged", None, None, None]
    assert owners["app.parted_1"] == ["unmanaged", None, None, None]
    assert owners["app.django_migrations"] == ["contrib", None, None, None]


def test_contrib_and_third_party_are_told_apart_though_installed_inside_the_project(owners: dict[str, Any]) -> None:
    assert owners["app.auth_permission.codename"] == ["contrib", "auth.Permission", "codename", "0001_initial"]
    assert owners["app.library_book"] == ["third_party", "library.Book", None, "0001_initial"]
    assert owners["app.library_book_keywords"][:3] == ["third_party", "library.Book", "keywords"]


def test_own_apps_decide_alone(project: GeneratedProject) -> None:
    answer = project.ask("owners", {"own_apps": ["libr*"]})["owners"]
    assert answer["app.library_book"][0] == "mine"
    assert answer["app.shop_order"][0] == "third_party"
    assert answer["app.auth_group"][0] == "contrib"


def test_generic_relations_are_collected_with_the_table_they_are_kept_in(project: GeneratedProject) -> None:
    assert project.ask("generic_relations") == [
        {"db_table": "shop_tag", "content_type_column": "content_type_id", "object_id_column": "object_id"}
    ]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_a_squashed_migration_is_named_beside_those_it_replaces(
    owners: dict[str, Any], project: GeneratedProject
) -> None:
    project.manage("squashmigrations", "shop", "0001", "0003", "--no-input", "--squashed-name", "squashed")
    try:
        squashed = project.ask("owners")["owners"]
    finally:
        (project.root / "shop/migrations/0001_squashed.py").unlink()
    assert squashed["index app.order_user_number_idx"] == ["mine", "shop.Order", None, "0001_squashed"]
    assert squashed["index app.shop_order_sql_idx"][3] == "0001_squashed"
    assert squashed["app.library_book"] == owners["app.library_book"]


@pytest.mark.parametrize("server", ["pg18"], indirect=True)
def test_migrations_that_cannot_be_read_cost_only_their_names(
    owners: dict[str, Any], project: GeneratedProject
) -> None:
    broken = project.write("shop/migrations/0004_broken.py", 'raise RuntimeError("not\\ntoday")')
    try:
        answer = project.ask("owners")
    finally:
        broken.unlink()
    assert answer["note"] == "no migration is named, for the migrations cannot be read: RuntimeError: not"
    assert answer["owners"]["app.shop_order.buyer"] == ["mine", "shop.Order", "user", None]


def _hash(names: dict[str, Any], suffix: str) -> str:
    return next(name.removesuffix(suffix).rpartition("_")[2] for name in names if name.endswith(suffix))
