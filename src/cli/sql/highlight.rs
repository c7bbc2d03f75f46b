//! Colours for the line being typed.

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use super::lexer::{Class, scan};

pub(super) struct SqlColours;

impl Highlighter for SqlColours {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        if line.trim_start().starts_with('\\') {
            styled.push((Style::new().fg(Color::Cyan), line.to_owned()));
            return styled;
        }
        for piece in scan(line) {
            let text = piece.text(line);
            styled.push((style(piece.class, text), text.to_owned()));
        }
        styled
    }
}

fn style(class: Class, text: &str) -> Style {
    match class {
        Class::Keyword => Style::new().fg(Color::Blue).bold(),
        Class::Number => Style::new().fg(Color::Magenta),
        Class::Text => Style::new().fg(Color::Green),
        Class::Comment => Style::new().dimmed(),
        // A comment still open stays a comment; an open string shows by its underline how far it reaches.
        Class::Unfinished if text.starts_with("/*") => Style::new().dimmed(),
        Class::Unfinished => Style::new().fg(Color::Green).underline(),
        Class::QuotedName => Style::new().fg(Color::Yellow),
        Class::Name | Class::Space | Class::Semicolon | Class::Dot | Class::Comma | Class::Symbol => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_quote_keeps_the_colours_before_it() {
        let styled = SqlColours.highlight("select 1, 'ab", 0);
        let text: String = styled.buffer.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(text, "select 1, 'ab");
        assert_eq!(styled.buffer[0], (Style::new().fg(Color::Blue).bold(), "select".to_owned()));
        assert_eq!(styled.buffer.last().unwrap(), &(Style::new().fg(Color::Green).underline(), "'ab".to_owned()));
    }
}
