//! Reads one key after the other and collects what is wrong, instead of stopping at the first problem.

use std::time::Duration;

use config::{Config, Value, ValueKind};

use crate::model::problem::Problem;

pub(super) struct Reader {
    config: Config,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(config: Config) -> Self {
        Self { config, problems: Vec::new() }
    }

    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn number(&mut self, key: &str, min: f64, max: f64, unit: &str) -> f64 {
        match self.config.get_float(key) {
            Ok(number) if (min..=max).contains(&number) => number,
            Ok(number) => {
                self.problem(key, format!("is {number}, and must be {min} to {max}{unit}"));
                min
            }
            Err(_) => {
                let given = self.config.get_string(key).unwrap_or_default();
                self.problem(key, format!("is `{given}`, and must be a number from {min} to {max}{unit}"));
                min
            }
        }
    }

    pub(super) fn fraction(&mut self, key: &str, min: f64, max: f64) -> f64 {
        self.number(key, min, max, "")
    }

    pub(super) fn seconds(&mut self, key: &str, min: f64, max: f64) -> Duration {
        Duration::try_from_secs_f64(self.number(key, min, max, " seconds")).unwrap_or_default()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the limits just checked")]
    pub(super) fn count(&mut self, key: &str, min: u32, max: u32) -> usize {
        let number = self.number(key, f64::from(min), f64::from(max), "");
        if number.fract() != 0.0 {
            self.problem(key, format!("is {number}, and must be a whole number"));
        }
        number as usize
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.config.get_bool(key).unwrap_or_else(|_| {
            self.problem(key, "must be true or false");
            false
        })
    }

    pub(super) fn text(&mut self, key: &str) -> String {
        match self.config.get_string(key) {
            Ok(text) => text,
            Err(_) => {
                self.problem(key, "must be text");
                String::new()
            }
        }
    }

    /// A text that some parser understands; its error says what would be right.
    pub(super) fn parsed<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key);
        match parse(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(key, format!("is `{text}`: {message}"));
                None
            }
        }
    }

    /// A list. A lone text, as the environment may give it, is a list split at commas.
    pub(super) fn list(&mut self, key: &str) -> Vec<Value> {
        let Ok(value) = self.config.get::<Value>(key) else {
            return Vec::new();
        };
        match value.kind {
            ValueKind::Array(items) => items,
            ValueKind::Nil => Vec::new(),
            ValueKind::Table(_) => {
                self.problem(key, "must be a list");
                Vec::new()
            }
            lone => {
                let text = lone.to_string();
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
            }
        }
    }

    pub(super) fn parsed_list<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut parsed = Vec::new();
        for item in self.list(key) {
            let text = item.into_string().unwrap_or_default();
            match parse(&text) {
                Ok(value) => parsed.push(value),
                Err(message) => self.problem(key, format!("has `{text}`: {message}")),
            }
        }
        parsed
    }
}
