//! How a type number is stored: by the type's name, since numbers belong to one edition of the catalogue.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Catalog, TypeId};

impl Serialize for TypeId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let catalog = Catalog::in_use();
        if self.index() >= catalog.len() {
            return Err(serde::ser::Error::custom(format!("no instance type has number {}", self.0)));
        }
        s.serialize_str(&catalog.get(*self).name)
    }
}

impl<'de> Deserialize<'de> for TypeId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Catalog::in_use()
            .by_name(&name)
            .ok_or_else(|| D::Error::custom(format!("the catalogue has no instance type {name:?}")))
    }
}
