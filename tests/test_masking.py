"""No password, token or key of a URL is left in what people get to see."""

import pytest

from grave_cli.masking import mask, mask_url

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "postgresql+psycopg://anna:s3cret@db:5432/runs",
            "postgresql+psycopg://anna:***@db:5432/runs",
        ),
        ("https://:token@mlflow.example", "https://:***@mlflow.example"),
        ("https://s3cret@mlflow.example/a", "https://***@mlflow.example/a"),
        ("postgresql://anna:s3/cr et?s3@cret@db/runs", "postgresql://anna:***@db/runs"),
        ("postgresql://anna:s3@cret?@db/runs?sslmode=a", "postgresql://anna:***@db/runs?sslmode=a"),
        ("postgresql://anna:12/s3cret@db/runs", "postgresql://anna:***@db/runs"),
        ("postgresql//anna:s3cret@db/runs", "postgresql//anna:***@db/runs"),
        ("postgresql:anna:s3cret@db/runs", "postgresql:anna:***@db/runs"),
        ("anna:s3cret@db/runs", "anna:***@db/runs"),
        (
            "postgresql://db/runs?user=anna&password=s3 cret&x=1",
            "postgresql://db/runs?user=anna&password=***&x=1",
        ),
        (
            "https://a/b?X-Amz-Signature=s3&Token=s3#access_key=s3",
            "https://a/b?X-Amz-Signature=***&Token=***#access_key=***",
        ),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret", "mssql+pyodbc:///?odbc_connect=***"),
        ("postgresql://anna:a@db/x?sslpassword=b", "postgresql://anna:***@db/x?sslpassword=***"),
        ("postgresql://anna@db/runs", "postgresql://anna@db/runs"),
        ("postgresql://db:5432/runs?user=a@b", "postgresql://db:***@b"),  # it may be a password
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[::1]:5000/a@b", "http://[::1]:5000/a@b"),
        ("sqlite:///runs/mlflow.db", "sqlite:///runs/mlflow.db"),
        ("sqlite:////a:b@c/mlflow.db", "sqlite:////a:b@c/mlflow.db"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
        ("postgresql://anna:***@db/runs", "postgresql://anna:***@db/runs"),
    ],
)
def test_a_url_loses_its_secrets_and_nothing_else(url: str, kept: str) -> None:
    assert mask_url(url) == kept
    assert mask_url(kept) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no host 'x@s3cret'", "no host 'x@***'"),
        ("(postgresql://anna:s3cret@db/runs), see http://a/b?token=1", None),
        ("FATAL: password s3cret is wrong", "FATAL: password *** is wrong"),
        ("connect with password=other host=db", "connect with password=*** host=db"),
        ("nothing to hide: 3 of 4, key=1, a@b.c", "nothing to hide: 3 of 4, key=1, a@b.c"),
    ],
)
def test_a_text_loses_the_secrets_of_its_urls(text: str, kept: str | None) -> None:
    kept = kept or "(postgresql://anna:***@db/runs), see http://a/b?token=***"
    assert mask(text, "postgresql://anna:s3cret@db/runs") == kept


@pytest.mark.parametrize("password", ["my s3cret", "my%20s3cret", "my@s3cret", "my/s3cret", "ab"])
def test_a_password_is_hidden_in_pieces_and_decoded(password: str) -> None:
    url = f"postgresql://anna:{password}@db/runs"
    said = mask(f"{url}; my s3cret; no port s3cret@db; ab is wrong, fabulous", url)
    assert "s3cret" not in said or password == "ab"
    assert ("ab is" in said) is (password != "ab")
    assert said.endswith("is wrong, fabulous")
