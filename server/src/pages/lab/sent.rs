//! What a form of the lab sends. A text that can be pasted can also be chosen as a file, with or without scripts.

use std::{borrow::Cow, convert::Infallible};

use axum::{
    Form,
    body::Bytes,
    extract::{FromRequest, Multipart, Request},
};
use http::{StatusCode, header, request::Parts};

use super::Refusal;
use crate::pages::forms::to_end;

/// What a field's name ends in when it is the file in place of a pasted text.
const FILE: &str = "_file";

/// The largest form. A file comes as it is; what is pasted comes as up to three times as many bytes.
const MAX_FORM: usize = 96 * 1024 * 1024;

/// How much more than that is read.
const MAX_IGNORED: usize = 512 * 1024 * 1024;

/// The most fields that a form has. To take apart millions of empty ones would keep others waiting.
const MAX_FIELDS: usize = 1_000;

const CUT_OFF: &str = "Not everything arrived at the server. Try again.";
const TOO_MUCH: &str = "This is more than the 96 MiB that are taken at once. Divide it into several files.";
const UNREADABLE: &str = "The form could not be read. Open its page again, and send it from there.";
const TWO_FILES: &str = "Two files were sent. Choose one.";
const FILE_AND_TEXT: &str = "A file was chosen, and there is a text as well. Choose the file and leave the text empty, or \
                             leave the text alone.";
const NOT_TEXT: &str = "The file is not text in UTF-8. Save it as such, and choose it again.";
const CHOOSE_AGAIN: &str = "Choose the file again: a browser does not keep it.";

/// The fields of a form, in order.
pub(super) type Values = Vec<(String, String)>;

/// What was written in a field.
pub(super) fn field<'a>(values: &'a [(String, String)], name: &str) -> &'a str {
    values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
}

/// Says at the file of a form that is shown again what is wrong with it, or that it has to be chosen again.
pub(super) fn remind_of_the_file(values: &[(String, String)], problems: &mut Vec<(String, String)>) {
    let Some((file, text)) = values.iter().find_map(|(name, _)| Some((name, name.strip_suffix(FILE)?))) else { return };
    for (field, _) in problems.iter_mut().filter(|(field, _)| field == text) {
        field.clone_from(file);
    }
    if problems.iter().all(|(field, _)| field != file) {
        problems.push((file.clone(), CHOOSE_AGAIN.to_owned()));
    }
}

/// A form as it was sent.
pub(super) struct Sent(pub Values);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = (StatusCode, &'static str);

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (parts, content, read) = read(request).await;
        let values = match read {
            Ok(()) => fields(parts, content).await,
            Err(said) => Err(said),
        };
        values.map(Self).map_err(|said| (StatusCode::UNPROCESSABLE_ENTITY, said))
    }
}

/// A form of which one text may be chosen as a file.
#[derive(Debug, Default)]
pub(super) struct SentWithFile {
    /// Every field. That of a file holds its name.
    pub values: Values,
    /// The file, if one was chosen.
    file: Option<ChosenFile>,
    /// What is wrong with the file, or with all of the form, as field and message.
    problem: Option<(String, String)>,
}

/// A file that was chosen in place of a pasted text.
#[derive(Debug)]
struct ChosenFile {
    /// The field of the text.
    field: String,
    name: String,
    content: Bytes,
}

impl SentWithFile {
    /// The text of a field, and the name of its file if it is one. Of what was pasted it has the line breaks of a file again:
    /// a browser sends CR LF.
    ///
    /// # Errors
    /// The file cannot be taken, or not all of the form arrived.
    pub fn text(&self, name: &str) -> Result<(Cow<'_, str>, Option<&str>), Refusal> {
        let refused = |problem: (String, String)| Refusal::Fields(vec![problem]);
        if let Some(problem) = &self.problem {
            return Err(refused(problem.clone()));
        }
        let pasted = field(&self.values, name);
        let Some(file) = self.file.as_ref().filter(|file| file.field == name) else {
            return Ok((pasted.replace("\r\n", "\n").into(), None));
        };
        let said = match str::from_utf8(&file.content) {
            _ if !pasted.trim().is_empty() => FILE_AND_TEXT,
            Err(_) => NOT_TEXT,
            Ok(text) => return Ok((text.into(), Some(&file.name))),
        };
        Err(refused((format!("{name}{FILE}"), said.to_owned())))
    }

    /// Takes the parts for as long as they come.
    async fn take_parts(&mut self, mut parts: Multipart) -> Result<(), &'static str> {
        for _ in 0..MAX_FIELDS {
            let Some(part) = parts.next_field().await.map_err(|_| CUT_OFF)? else { return Ok(()) };
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().unwrap_or_default().to_owned();
            let content = part.bytes().await.map_err(|_| CUT_OFF)?;
            let Some(field) = name.strip_suffix(FILE) else {
                self.values.push((name, String::from_utf8_lossy(&content).into_owned()));
                continue;
            };
            // A browser sends a field for files even when nothing was chosen.
            if file_name.is_empty() && content.is_empty() {
                continue;
            }
            if self.file.is_some() {
                return Err(TWO_FILES);
            }
            self.file = Some(ChosenFile { field: field.to_owned(), name: file_name.clone(), content });
            self.values.push((name, file_name));
        }
        Err(UNREADABLE)
    }
}

impl<S: Send + Sync> FromRequest<S> for SentWithFile {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        const PARTS: &[u8] = b"multipart/form-data";
        let media_type = request.headers().get(header::CONTENT_TYPE).map(|value| value.as_bytes());
        let has_parts = media_type.and_then(|media_type| media_type.get(..PARTS.len()));
        let has_parts = has_parts.is_some_and(|beginning| beginning.eq_ignore_ascii_case(PARTS));
        let (parts, content, read) = read(request).await;
        let mut sent = Self::default();
        let taken = if has_parts {
            match Multipart::from_request(Request::from_parts(parts, content.into()), &()).await {
                Ok(parts) => sent.take_parts(parts).await,
                Err(_) => Err(UNREADABLE),
            }
        } else {
            fields(parts, content).await.map(|values| sent.values = values)
        };
        if let Err(said) = read.and(taken) {
            sent.problem = Some((String::new(), said.to_owned()));
        }
        Ok(sent)
    }
}

/// A request with as much of its body as is taken, and why that is not all.
async fn read(request: Request) -> (Parts, Bytes, Result<(), &'static str>) {
    let (parts, body) = request.into_parts();
    let (content, read) = to_end(body, MAX_FORM, MAX_IGNORED).await;
    let said = |status| if status == StatusCode::PAYLOAD_TOO_LARGE { TOO_MUCH } else { CUT_OFF };
    (parts, content, read.map_err(said))
}

/// The fields of a form without files.
async fn fields(parts: Parts, content: Bytes) -> Result<Values, &'static str> {
    if content.iter().filter(|byte| **byte == b'&').count() >= MAX_FIELDS {
        return Err(UNREADABLE);
    }
    let form = Form::<Values>::from_request(Request::from_parts(parts, content.into()), &()).await;
    form.map(|Form(values)| values).map_err(|_| UNREADABLE)
}
