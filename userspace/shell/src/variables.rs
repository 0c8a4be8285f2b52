//! Variables: values, what is exported, what is read-only, and what a function made local.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use crate::arithmetic::Names;
use crate::lexer;

/// The message for an assignment to a read-only variable.
const READ_ONLY: &str = "is read only";

/// A variable; without a value it has only its marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable {
    /// The value, if set.
    pub value: Option<Vec<u8>>,
    /// Whether programs see it.
    pub exported: bool,
    /// Whether it can no longer change.
    pub read_only: bool,
}

/// All variables of a shell.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    table: BTreeMap<Vec<u8>, Variable>,
    /// For each running function, what its local variables hide.
    hidden: Vec<Vec<(Vec<u8>, Option<Variable>)>>,
}

impl Variables {
    /// Takes over an environment; entries that are no names are left out.
    pub fn from_environment(environment: &[Vec<u8>]) -> Self {
        let mut variables = Self::default();
        for entry in environment {
            let Some(equals) = entry.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            if lexer::is_name(&entry[..equals]) {
                let value = Some(entry[equals + 1..].to_vec());
                let variable = Variable {
                    value,
                    exported: true,
                    read_only: false,
                };
                variables.table.insert(entry[..equals].to_vec(), variable);
            }
        }
        variables
    }

    /// Returns the exported variables as `NAME=value`.
    pub fn to_environment(&self) -> Vec<Vec<u8>> {
        let exported = self.table.iter().filter(|(_, variable)| variable.exported);
        exported
            .filter_map(|(name, variable)| Some([name.as_slice(), variable.value.as_deref()?].join(&b'=')))
            .collect()
    }

    /// Returns a value.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.table.get(name)?.value.as_deref()
    }

    /// Assigns a value; marks stay.
    ///
    /// # Errors
    /// A message when the variable is read-only.
    pub fn set(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), &'static str> {
        self.change(name, |variable| variable.value = Some(value))
    }

    /// Marks a variable for export.
    pub fn export(&mut self, name: &[u8]) {
        self.entry(name).exported = true;
    }

    /// Makes a variable read-only.
    pub fn protect(&mut self, name: &[u8]) {
        self.entry(name).read_only = true;
    }

    /// Removes a variable.
    ///
    /// # Errors
    /// A message when it is read-only.
    pub fn unset(&mut self, name: &[u8]) -> Result<(), &'static str> {
        if self.table.get(name).is_some_and(|variable| variable.read_only) {
            return Err(READ_ONLY);
        }
        self.table.remove(name);
        Ok(())
    }

    /// Iterates over all variables by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Variable)> {
        self.table
            .iter()
            .map(|(name, variable)| (name.as_slice(), variable))
    }

    /// Begins a function's scope.
    pub fn enter_function(&mut self) {
        self.hidden.push(Vec::new());
    }

    /// Ends a function's scope: its local variables go, what they hid comes back.
    pub fn leave_function(&mut self) {
        for (name, variable) in self.hidden.pop().unwrap_or_default().into_iter().rev() {
            self.restore(&name, variable);
        }
    }

    /// Makes a variable local to the running function; it keeps its value until assigned.
    ///
    /// # Errors
    /// A message outside functions.
    pub fn make_local(&mut self, name: &[u8]) -> Result<(), &'static str> {
        let old = self.table.get(name).cloned();
        let scope = self.hidden.last_mut().ok_or("not in a function")?;
        scope.push((name.to_vec(), old));
        Ok(())
    }

    /// Returns a variable as it is, to be put back by [`Variables::restore`].
    pub fn save(&self, name: &[u8]) -> Option<Variable> {
        self.table.get(name).cloned()
    }

    /// Puts back what [`Variables::save`] returned.
    pub fn restore(&mut self, name: &[u8], variable: Option<Variable>) {
        match variable {
            Some(variable) => drop(self.table.insert(name.to_vec(), variable)),
            None => drop(self.table.remove(name)),
        }
    }

    fn change(&mut self, name: &[u8], apply: impl FnOnce(&mut Variable)) -> Result<(), &'static str> {
        let variable = self.entry(name);
        if variable.read_only {
            return Err(READ_ONLY);
        }
        apply(variable);
        Ok(())
    }

    fn entry(&mut self, name: &[u8]) -> &mut Variable {
        self.table.entry(name.to_vec()).or_default()
    }
}

impl Names for Variables {
    fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.get(name).map(<[u8]>::to_vec)
    }

    fn set(&mut self, name: &[u8], value: i64) -> Result<(), &'static str> {
        self.set(name, format!("{value}").into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::Variables;
    use alloc::vec::Vec;

    #[test]
    fn only_exported_variables_reach_programs() {
        let mut variables =
            Variables::from_environment(&[b"A=1".to_vec(), b"1BAD=x".to_vec(), b"B".to_vec()]);
        variables.set(b"C", b"3".to_vec()).unwrap();
        variables.set(b"D", b"4".to_vec()).unwrap();
        variables.export(b"D");
        variables.export(b"E");
        assert_eq!(variables.to_environment(), [b"A=1".to_vec(), b"D=4".to_vec()]);
    }

    #[test]
    fn locals_hide_and_come_back() {
        let mut variables = Variables::default();
        assert!(variables.make_local(b"x").is_err());
        variables.set(b"x", b"outer".to_vec()).unwrap();
        variables.enter_function();
        variables.make_local(b"x").unwrap();
        variables.make_local(b"y").unwrap();
        variables.set(b"x", b"inner".to_vec()).unwrap();
        variables.set(b"y", b"inner".to_vec()).unwrap();
        variables.leave_function();
        assert_eq!(variables.get(b"x"), Some(&b"outer"[..]));
        assert_eq!(variables.get(b"y"), None);
    }

    #[test]
    fn read_only_variables_stay() {
        let mut variables = Variables::default();
        variables.set(b"x", b"1".to_vec()).unwrap();
        variables.protect(b"x");
        assert!(variables.set(b"x", Vec::new()).is_err());
        assert!(variables.unset(b"x").is_err());
        assert_eq!(variables.get(b"x"), Some(&b"1"[..]));
    }
}
