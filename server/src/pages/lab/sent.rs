//! What a form of the lab sends. A text that can be pasted can also be chosen as a file, with or without scripts.

use std::{borrow::Cow, convert::Infallible};

use axum::{
    Form, RequestExt,
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Request, multipart::MultipartError},
};
use futures_util::StreamExt;
use http::header;

use super::Refusal;

/// What a field's name ends in when it is the file in place of a pasted text.
const FILE: &str = "_file";

/// The largest form. A file comes as it is; what is pasted comes as up to three times as many bytes.
pub(super) const MAX_FORM: usize = 96 * 1024 * 1024;

/// How much more than that is read, and thrown away: a browser shows an answer only once it has sent everything.
const MAX_IGNORED: usize = 512 * 1024 * 1024;

/// The longest file, in bytes, that is shown again when something is wrong with it.
const SHOWN: usize = 256 * 1024;

/// What is said of a form that ends too early.
const CUT_OFF: &str = "Not everything arrived at the server. Try again.";

/// A form as it was sent.
pub(super) type Sent = Form<Vec<(String, String)>>;

/// What was written in a field.
pub(super) fn field<'a>(values: &'a [(String, String)], name: &str) -> &'a str {
    values.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.as_str())
}

/// A form of which one text may be chosen as a file.
#[derive(Debug, Default)]
pub(super) struct SentWithFile {
    /// Every field. A file that is not long stands in the field that it was chosen for as well: should the form be shown
    /// again, it can be mended there.
    pub values: Vec<(String, String)>,
    /// The file, if one was chosen.
    pub file: Option<ChosenFile>,
    /// What is wrong with the file, as field and message.
    problem: Option<(String, String)>,
}

/// A file that was chosen in place of a pasted text.
#[derive(Debug)]
pub(super) struct ChosenFile {
    pub name: String,
    text: String,
}

impl SentWithFile {
    /// The text of a field. Of what was pasted it has the line breaks of a file again: a browser sends CR LF.
    ///
    /// # Errors
    /// The file cannot be taken, or not all of the form arrived.
    pub fn text(&self, name: &str) -> Result<Cow<'_, str>, Refusal> {
        if let Some(problem) = &self.problem {
            return Err(Refusal::Fields(vec![problem.clone()]));
        }
        Ok(match &self.file {
            Some(file) => file.text.as_str().into(),
            None => field(&self.values, name).replace("\r\n", "\n").into(),
        })
    }

    /// Takes the parts for as long as they come.
    async fn take_parts(&mut self, mut parts: Multipart) -> Result<(), MultipartError> {
        let mut chosen = None;
        while let Some(part) = parts.next_field().await? {
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().unwrap_or_default().to_owned();
            let content = part.bytes().await?;
            match name.strip_suffix(FILE) {
                Some(field) => chosen = Some((field.to_owned(), file_name, content)),
                None => self.values.push((name, String::from_utf8_lossy(&content).into_owned())),
            }
        }
        // A browser sends a field for files even when nothing was chosen.
        if let Some((field, file_name, content)) = chosen.filter(|(_, file_name, _)| !file_name.is_empty()) {
            self.take_file(&field, file_name, &content);
        }
        Ok(())
    }

    fn take_file(&mut self, field: &str, name: String, content: &[u8]) {
        let is_pasted = !self::field(&self.values, field).trim().is_empty();
        match str::from_utf8(content) {
            _ if is_pasted => self.refuse(field, "A file was chosen, and there is a text as well. Leave one of them."),
            Err(_) => self.refuse(field, "The file is not text in UTF-8. Save it as such, and choose it again."),
            Ok(text) => {
                if text.len() <= SHOWN {
                    self.values.retain(|(written, _)| written != field);
                    self.values.push((field.to_owned(), text.to_owned()));
                }
                self.file = Some(ChosenFile { name, text: text.to_owned() });
            }
        }
    }

    fn refuse(&mut self, field: &str, said: &str) {
        self.problem = Some((format!("{field}{FILE}"), said.to_owned()));
    }
}

impl<S: Send + Sync> FromRequest<S> for SentWithFile {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let has_parts = media_type.is_some_and(|media_type| media_type.starts_with("multipart/form-data"));
        let (parts, body) = request.into_parts();
        let (content, is_whole) = beginning(body).await;
        let request = Request::from_parts(parts, Body::from(content));
        let mut sent = Self::default();
        let is_read = if has_parts {
            match request.extract::<Multipart, _>().await {
                Ok(parts) => sent.take_parts(parts).await.is_ok(),
                Err(_) => false,
            }
        } else {
            let form = request.extract::<Sent, _>().await;
            form.map(|Form(values)| sent.values = values).is_ok()
        };
        let cut_off = is_whole.err().or((!is_read).then_some(CUT_OFF));
        if let Some(said) = cut_off {
            sent.problem = Some((String::new(), said.to_owned()));
        }
        Ok(sent)
    }
}

/// As much of what is sent as is taken, and why that is not all. What is too much is read as well.
async fn beginning(body: Body) -> (Bytes, Result<(), &'static str>) {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut ignored) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return (taken.into(), Err(CUT_OFF)) };
        let room = if ignored == 0 { MAX_FORM - taken.len() } else { 0 };
        let (kept, rest) = chunk.split_at(room.min(chunk.len()));
        taken.extend_from_slice(kept);
        ignored += rest.len();
        if ignored > MAX_IGNORED {
            break;
        }
    }
    let too_much = "This is more than the 96 MiB that are taken at once. Divide it into several files.";
    (taken.into(), if ignored == 0 { Ok(()) } else { Err(too_much) })
}
