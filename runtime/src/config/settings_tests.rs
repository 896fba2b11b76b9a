use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn settings(file: &str, variables: &[(&'static str, &str)]) -> Result<Settings, ConfigError> {
    let file = ConfigFile::parse(
        format!(r#"{{"schema": "countersign.config/v1"{file}}}"#).as_bytes(),
        Path::new("/home"),
    )?;
    let variables: Vec<(&str, OsString)> = variables.iter().map(|(name, value)| (*name, (*value).into())).collect();
    Ok(Settings::new(file, move |name| {
        variables
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.clone())
    }))
}

/// The exposed key, or the words of the refusal.
fn told(key: Result<Option<ApiKey>, SettingError>) -> String {
    match key {
        Ok(key) => key.map_or_else(|| "none".to_owned(), |key| key.expose().to_owned()),
        Err(error) => error.to_string(),
    }
}

fn key_file(folder: &tempfile::TempDir, key: &str, mode: u32) -> std::io::Result<String> {
    let path = folder.path().join(key);
    fs::write(&path, key)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    Ok(path.display().to_string())
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() -> TestResult {
    let file = r#","model": "file/m", "advisor": "file/a", "prices": "p""#;
    let all = settings(
        file,
        &[
            ("COUNTERSIGN_MODEL", "env/m"),
            ("COUNTERSIGN_ADVISOR", "env/a"),
            ("COUNTERSIGN_PRICES", "/env/p"),
        ],
    )?;
    assert_eq!(all.model(Some("flag/m"))?.as_deref(), Some("flag/m"));
    assert_eq!(all.model(None)?.as_deref(), Some("env/m"));
    assert_eq!(all.advisor(Some("flag/a"))?.as_deref(), Some("flag/a"));
    assert_eq!(all.advisor(None)?.as_deref(), Some("env/a"));
    assert_eq!(all.prices(Some("/flag/p".into())), Some("/flag/p".into()));
    assert_eq!(all.prices(None), Some("/env/p".into()));
    let file_only = settings(file, &[("COUNTERSIGN_MODEL", "")])?;
    assert_eq!(file_only.model(None)?.as_deref(), Some("file/m"));
    assert_eq!(file_only.advisor(None)?.as_deref(), Some("file/a"));
    assert_eq!(file_only.prices(None), Some("/home/p".into()));
    let nothing = settings("", &[])?;
    assert_eq!(
        (nothing.model(None)?, nothing.advisor(None)?, nothing.prices(None)),
        (None, None, None)
    );
    Ok(())
}

#[test]
fn the_head_is_kept_where_the_flag_or_the_folder_says_and_else_beside_the_ledger() -> TestResult {
    let ledger = Path::new("/ledgers/a.db");
    let configured = settings(r#","head_folder": "heads""#, &[])?;
    assert_eq!(configured.head_file(Some("/h".into()), ledger), Some("/h".into()));
    assert_eq!(configured.head_file(None, ledger), Some("/home/heads/a.db-head".into()));
    assert_eq!(settings("", &[])?.head_file(None, ledger), None);
    Ok(())
}

#[test]
fn addresses_are_those_of_the_official_sdks() -> TestResult {
    let url =
        |file: &str, variables: &[(&'static str, &str)], provider| -> Result<String, Box<dyn std::error::Error>> {
            Ok(settings(file, variables)?.base_url(provider)?.join("/x").to_string())
        };
    for (file, variables, expected) in [
        ("", vec![], "https://api.anthropic.com/v1/x"),
        ("", vec![("ANTHROPIC_BASE_URL", "https://h/p")], "https://h/p/v1/x"),
        ("", vec![("ANTHROPIC_BASE_URL", "https://h/p/v1/")], "https://h/p/v1/x"),
        (r#","anthropic": {"base_url": "https://f"}"#, vec![], "https://f/v1/x"),
        (
            r#","anthropic": {"base_url": "https://f"}"#,
            vec![("ANTHROPIC_BASE_URL", "https://e")],
            "https://e/v1/x",
        ),
    ] {
        assert_eq!(url(file, &variables, Provider::Anthropic)?, expected);
    }
    for (file, variables, expected) in [
        ("", vec![], "https://api.openai.com/v1/x"),
        (
            "",
            vec![("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")],
            "http://127.0.0.1:8000/v1/x",
        ),
        ("", vec![("OPENAI_BASE_URL", "https://h/openai/")], "https://h/openai/x"),
        (r#","openai": {"base_url": "https://f/v1"}"#, vec![], "https://f/v1/x"),
    ] {
        assert_eq!(url(file, &variables, Provider::OpenAi)?, expected);
    }
    Ok(())
}

#[test]
fn address_with_a_password_is_refused_without_repeating_it() -> TestResult {
    let settings = settings("", &[("OPENAI_BASE_URL", "https://me:secret@h/v1")])?;
    let refused = settings.base_url(Provider::OpenAi).err().ok_or("refused")?;
    assert!(matches!(
        refused,
        SettingError::BaseUrl {
            source: BaseUrlError::UserInfo,
            ..
        }
    ));
    assert!(!format!("{refused:?}").contains("secret"));
    assert!(settings.base_url(Provider::Anthropic).is_ok());
    Ok(())
}

#[test]
fn key_comes_from_the_variable_then_its_file_then_the_configuration() -> TestResult {
    let folder = tempfile::TempDir::new()?;
    let [by_variable, by_file] = [
        key_file(&folder, "sk-variable", 0o600)?,
        key_file(&folder, "sk-file", 0o600)?,
    ];
    let file = format!(r#","openai": {{"key_file": "{by_file}"}}"#);
    let key = |variables: &[(&'static str, &str)]| -> Result<String, Box<dyn std::error::Error>> {
        let settings = settings(&file, variables)?;
        Ok(told(
            settings.key(Provider::OpenAi, &settings.base_url(Provider::OpenAi)?),
        ))
    };
    let named = ("OPENAI_API_KEY_FILE", by_variable.as_str());
    assert_eq!(key(&[("OPENAI_API_KEY", "sk-env"), named])?, "sk-env");
    assert_eq!(key(&[named, ("ANTHROPIC_API_KEY", "sk-other")])?, "sk-variable");
    assert_eq!(
        key(&[("OPENAI_API_KEY", ""), ("COUNTERSIGN_SERVER_API_KEY", "sk-other")])?,
        "sk-file"
    );
    Ok(())
}

#[test]
fn what_is_set_as_a_key_and_is_none_is_an_error_not_a_missing_key() -> TestResult {
    let folder = tempfile::TempDir::new()?;
    let open = key_file(&folder, "sk-open", 0o644)?;
    for (variables, expected) in [
        (
            vec![("OPENAI_API_KEY", " ")],
            "the key from OPENAI_API_KEY cannot be used",
        ),
        (
            vec![("OPENAI_API_KEY", "a b")],
            "the key from OPENAI_API_KEY cannot be used",
        ),
        (
            vec![("OPENAI_API_KEY_FILE", open.as_str())],
            "the key from OPENAI_API_KEY_FILE cannot be used",
        ),
        (
            vec![("OPENAI_API_KEY_FILE", "/nowhere")],
            "the key from OPENAI_API_KEY_FILE cannot be used",
        ),
    ] {
        let elsewhere = BaseUrl::parse("http://127.0.0.1:1/v1")?;
        assert_eq!(
            told(settings("", &variables)?.key(Provider::OpenAi, &elsewhere)),
            expected
        );
    }
    let configured = settings(r#","openai": {"key_file": "gone"}"#, &[])?;
    let refused = told(configured.key(Provider::OpenAi, &configured.base_url(Provider::OpenAi)?));
    assert_eq!(refused, "the key from key_file of the configuration cannot be used");
    Ok(())
}

#[test]
fn variables_that_are_no_text_are_refused() -> TestResult {
    let bytes = |_: &str| Some(OsString::from_vec(vec![b'a', 0xff]));
    let settings = Settings::new(ConfigFile::default(), bytes);
    let elsewhere = BaseUrl::parse("http://127.0.0.1:1/v1")?;
    assert!(matches!(settings.model(None), Err(SettingError::NotUnicode { .. })));
    assert!(matches!(
        settings.base_url(Provider::OpenAi),
        Err(SettingError::NotUnicode { .. })
    ));
    let key = settings.key(Provider::OpenAi, &elsewhere);
    assert!(matches!(
        key,
        Err(SettingError::Key {
            source: KeyError::NotVisibleAscii,
            ..
        })
    ));
    Ok(())
}

#[test]
fn only_the_provider_itself_needs_a_key() -> TestResult {
    for (provider, variable, names) in [
        (Provider::Anthropic, "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
        (Provider::OpenAi, "OPENAI_BASE_URL", "OPENAI_API_KEY"),
    ] {
        let own = settings("", &[])?;
        let refused = told(own.key(provider, &own.base_url(provider)?));
        assert!(
            refused.starts_with("no key for api.") && refused.contains(names),
            "{refused}"
        );
        for url in [
            "http://127.0.0.1:1/v1",
            "https://gateway.example.com/",
            "https://api.anthropic.com.example/",
        ] {
            let other = settings("", &[(variable, url)])?;
            assert_eq!(told(other.key(provider, &other.base_url(provider)?)), "none");
        }
    }
    Ok(())
}

#[test]
fn servers_named_by_url_get_their_own_key_only() -> TestResult {
    let others = settings("", &[("OPENAI_API_KEY", "sk-1"), ("ANTHROPIC_API_KEY", "sk-2")])?;
    assert_eq!(told(others.server_key()), "none");
    let own = settings("", &[("COUNTERSIGN_SERVER_API_KEY", "sk-3")])?;
    assert_eq!(told(own.server_key()), "sk-3");
    Ok(())
}

#[test]
fn plain_http_is_allowed_by_1_and_nothing_else() -> TestResult {
    for (value, expected) in [
        ("1", PlainHttp::Allowed),
        ("", PlainHttp::Refused),
        ("0", PlainHttp::Refused),
        ("true", PlainHttp::Refused),
        ("11", PlainHttp::Refused),
    ] {
        let settings = settings("", &[("COUNTERSIGN_ALLOW_PLAIN_HTTP", value)])?;
        assert_eq!(settings.plain_http(), expected, "{value:?}");
    }
    assert_eq!(settings("", &[])?.plain_http(), PlainHttp::Refused);
    Ok(())
}

#[test]
fn configuration_that_cannot_be_used_is_named_by_its_path() -> TestResult {
    let folder = tempfile::TempDir::new()?;
    let home = Home::at(folder.path());
    assert!(Settings::load(&home).is_ok());
    fs::write(home.config_file(), "{}")?;
    let refused = Settings::load(&home).err().ok_or("refused")?.to_string();
    let path = folder.path().join("config.json");
    assert_eq!(refused, format!("the configuration {} cannot be used", path.display()));
    Ok(())
}
