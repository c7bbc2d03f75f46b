//! The prompt: reads, runs, shows, until Ctrl-D.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nu_ansi_term::{Color, Style};
use reedline::{
    DefaultHinter, Emacs, IdeMenu, KeyCode, KeyModifiers, MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch,
    PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, Signal, default_emacs_keybindings,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Format;
use super::complete::SqlCompleter;
use super::console::Console;
use super::highlight::SqlColours;
use super::history;
use super::script::fail;
use super::session::Session;
use super::shell::{Outcome, Shell};
use super::validate::{EndsStatement, is_farewell};
use crate::client::Login;
use crate::diagnostic::{Diagnostic, Kind};

const MENU: &str = "completion";

/// What a session at the prompt starts with.
#[derive(Debug, Clone)]
pub struct Options {
    /// `grpc://host:port`
    pub url: String,
    pub login: Login,
    /// What the session is for, where it says so from the beginning.
    pub purpose: Option<String>,
    /// How results are shown at first.
    pub format: Format,
    /// Ends the session from outside, also while a line is being typed.
    pub stop: CancellationToken,
}

/// Opens the prompt and stays until the user leaves; answers the exit code, 1 without a connection.
pub async fn interactive(options: Options) -> u8 {
    let mut console = Console::standard();
    let session = match Session::open(&options.url, options.login, options.purpose).await {
        Ok(session) => session,
        Err(diagnostic) => return fail(&mut console, &diagnostic),
    };
    let mut shell = Shell::new(session, console, options.format, true);
    shell.console.say(&format!(
        "{} at {}\nA statement ends with `;`. `\\?` helps, Tab completes, `\\q` leaves.",
        shell.session.user(),
        shell.session.url
    ));

    let mut background = JoinSet::new();
    refresh(&mut background, &shell);
    let interrupt = Arc::new(AtomicBool::new(false));
    let stop = options.stop.clone();
    let raised = Arc::clone(&interrupt);
    background.spawn(async move {
        stop.cancelled().await;
        raised.store(true, Ordering::Relaxed);
    });

    let prompt = Arc::new(Name(shell.session.user().to_owned()));
    let mut editor = editor(&mut shell, interrupt);
    loop {
        let at = Arc::clone(&prompt);
        // Reading blocks a thread; the server of `demo` and the background go on meanwhile.
        let read = tokio::task::spawn_blocking(move || {
            let line = editor.read_line(at.as_ref());
            // Each statement is on disk before it runs; a second session finds it.
            let _ = editor.sync_history();
            (editor, line)
        });
        let Ok((returned, line)) = read.await else { return 1 };
        editor = returned;
        match line {
            Ok(Signal::Success(text)) if is_farewell(&text) => return 0,
            Ok(Signal::Success(text)) => {
                if run(&mut shell, &text, &options.stop).await == Outcome::Quit {
                    return 0;
                }
            }
            Ok(Signal::CtrlC) => {}
            Ok(_) => return 0,
            Err(error) => {
                let lost = Diagnostic::error(Kind::Unavailable, format!("the terminal cannot be read: {error}"));
                return fail(&mut shell.console, &lost);
            }
        }
        if std::mem::take(&mut shell.logged_in_again) {
            refresh(&mut background, &shell);
        }
    }
}

/// Ctrl-C ends the statement by dropping it, which stops the server's work; the prompt comes back.
async fn run(shell: &mut Shell, text: &str, stop: &CancellationToken) -> Outcome {
    let paging = Arc::clone(&shell.paging);
    let interrupted = async {
        // Nothing runs while a pager shows the result; leaving it there would leave two readers at one terminal.
        while tokio::signal::ctrl_c().await.is_ok() && paging.load(Ordering::Relaxed) {}
    };
    tokio::select! {
        biased;
        () = interrupted => {}
        () = stop.cancelled() => return Outcome::Quit,
        outcome = shell.run(text, None, 0) => return outcome,
    }
    shell.console.say("\ncancelled");
    Outcome::Failed
}

/// Asks for names without keeping anyone waiting; completion without an answer offers only words of SQL.
fn refresh(background: &mut JoinSet<()>, shell: &Shell) {
    let names = Arc::clone(&shell.names);
    let client = shell.session.client.clone();
    background.spawn(async move {
        let _ = names.refresh(&client).await;
    });
}

fn editor(shell: &mut Shell, interrupt: Arc<AtomicBool>) -> Reedline {
    let colour = shell.console.screen.paint.colour;
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Submit);
    let menu =
        IdeMenu::default().with_name(MENU).with_marker("> ").with_word_chars("_.").with_max_completion_height(12);

    let editor = Reedline::create()
        .use_bracketed_paste(true)
        .with_ansi_colors(colour)
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_highlighter(Box::new(SqlColours))
        .with_validator(Box::new(EndsStatement))
        .with_completer(Box::new(SqlCompleter { names: Arc::clone(&shell.names) }))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_hinter(Box::new(DefaultHinter::default().with_style(Style::new().fg(Color::DarkGray))))
        .with_history_exclusion_prefix(Some(" ".to_owned()))
        .with_break_signal(interrupt);
    let Some(path) = history::path() else { return editor };
    match history::open(&path) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(warning) => {
            shell.complain(&warning, None);
            editor
        }
    }
}

/// `ana> `
struct Name(String);

impl Prompt for Name {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Owned(format!("{}… ", " ".repeat(super::cell::width(&self.0))))
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = matches!(search.status, PromptHistorySearchStatus::Failing);
        Cow::Owned(format!(" ({}history: {}) ", if failing { "not in " } else { "" }, search.term))
    }
}
