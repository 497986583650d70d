//! `exists` and `read`: the contents of the commit's tree.

use rhai::Dynamic;

use super::call::Call;
use crate::script::{session::secrets, values::thrown::Thrown};

/// Implements `exists(path)`.
pub(in crate::script) fn exists(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let path = path(call, arguments)?;
    let host = &call.session.host;
    let answer = host.exists(&path).map_err(|why| call.session.denied(why))?;
    host.decided(&format!("exists({path:?})"), answer, &call.place());
    Ok(answer.into())
}

/// Implements `read(path)`.
pub(in crate::script) fn read(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let path = path(call, arguments)?;
    let text = call.session.host.read(&path).map_err(|why| call.session.denied(why))?;
    Ok(text.into())
}

fn path(call: &Call<'_>, arguments: &[Dynamic]) -> Result<String, Thrown> {
    let path = arguments.first().unwrap_or(&Dynamic::UNIT);
    secrets::refuse(call.session, path)?;
    call.text("path", path)
}
