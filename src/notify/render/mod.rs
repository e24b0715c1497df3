//! From a notice to the words people get: templates, and plain text when a template fails.
//!
//! No template can lose a page: rendering always gives a subject and a text. Templates are strict
//! (an unknown name is an error) and bounded in steps and output.

mod plain;
mod view;

use std::io::Write;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::engine::notice::Notice;
use view::View;

/// Most steps one template may take.
const FUEL: u64 = 200_000;
/// Most bytes one template may produce.
const MAX_OUTPUT: usize = 256 * 1024;

/// The templates of a mail. Names available to them are the fields of the view: see the built-in ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sources<'a> {
    /// One line.
    pub subject: &'a str,
    /// The plain text.
    pub text: &'a str,
    /// HTML; values are escaped.
    pub html: &'a str,
}

impl Sources<'static> {
    /// The built-in templates.
    pub const BUILT_IN: Self = Self {
        subject: include_str!("subject.txt.j2"),
        text: include_str!("mail.txt.j2"),
        html: include_str!("mail.html.j2"),
    };
}

/// A rendered notice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rendered {
    /// One line without control characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML; `None` when its template failed.
    pub html: Option<String>,
    /// What failed and was replaced by plain text or left out, for the log.
    pub problem: Option<String>,
}

/// Compiled templates.
#[derive(Debug)]
pub struct Renderer {
    env: Environment<'static>,
}

impl Renderer {
    /// Compiles the templates. A message names the template and the line that is wrong.
    pub fn new(sources: Sources<'_>) -> Result<Self, String> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(50);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        env.set_syntax(syntax.map_err(|error| error.to_string())?);
        // Values are escaped where the name ends in .html.
        for (name, source) in
            [("subject.txt", sources.subject), ("mail.txt", sources.text), ("mail.html", sources.html)]
        {
            env.add_template_owned(name, source.to_owned()).map_err(|error| told(&error))?;
        }
        Ok(Self { env })
    }

    /// Renders a notice. Whatever a template does, there is a subject and a text.
    pub fn render(&self, notice: &Notice, external_url: &str) -> Rendered {
        let view = Value::from(Serde(View::new(notice, external_url)));
        let mut problems = Vec::new();
        let mut run = |name| match self.run(name, &view) {
            Ok(text) if !text.trim().is_empty() => Some(text),
            Ok(_) => {
                problems.push(format!("{name} came out empty"));
                None
            }
            Err(error) => {
                problems.push(error);
                None
            }
        };
        let (subject, text, html) = (run("subject.txt"), run("mail.txt"), run("mail.html"));
        Rendered {
            subject: one_line(&subject.unwrap_or_else(|| plain::subject(notice))),
            text: text.unwrap_or_else(|| plain::text(notice, external_url)),
            html,
            problem: (!problems.is_empty()).then(|| problems.join("; ")),
        }
    }

    fn run(&self, name: &str, view: &Value) -> Result<String, String> {
        let template = self.env.get_template(name).map_err(|error| told(&error))?;
        let mut out = Capped(Vec::new());
        template.render_captured_to(view.clone(), &mut out).map_err(|error| told(&error))?;
        String::from_utf8(out.0).map_err(|_| format!("{name} is not text"))
    }
}

/// Refuses to grow beyond [`MAX_OUTPUT`].
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(format!("the output is longer than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(error: &minijinja::Error) -> String {
    crate::http::told(error)
}

/// One line of at most 200 characters, so that it cannot become two headers.
fn one_line(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(200).collect()
}

#[cfg(test)]
mod tests;
