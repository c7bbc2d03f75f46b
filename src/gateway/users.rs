//! The users file, held against the words of the mesh.

use crate::diagnostic::{Diagnostic, Severity};
use crate::identity::UsersFile;
use crate::mesh::Mesh;
use crate::name::RoleName;
use crate::policy::{Principals, declares_attribute};

/// The users without roles and attributes that the mesh does not declare, and a warning for each of those. A word that a later
/// `mesh.yaml` declares gives nobody rights by accident.
pub(super) fn known_users(users: UsersFile, mesh: &Mesh) -> (UsersFile, Vec<Diagnostic>) {
    let mut warnings = Vec::new();
    for described in Principals::of_users(&users).iter() {
        for finding in described.check(&[mesh]) {
            let message = format!("user `{}`: {}", described.principal.name(), finding.message);
            warnings.push(Diagnostic { severity: Severity::Warning, message, ..finding });
        }
    }
    let role = |name: &RoleName| mesh.roles.contains(name);
    (users.limited(role, |name, value| declares_attribute(mesh, name, value)), warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::render_all;
    use crate::mesh::{Files, load};

    #[test]
    fn unknown_words_are_reported_and_dropped() {
        const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$0000000000000000000000000000000000000000000";
        let mesh =
            "roles: [analyst]\nclassifications: [public]\nprincipal_attributes: {region?: String, level?: Long}\n";
        let files = Files { texts: [("mesh.yaml".to_owned(), mesh.to_owned())].into(), ..Files::default() };
        let mesh = load(&files).unwrap().mesh;
        let text = format!(
            "[users.ana]\npassword = '{HASH}'\nroles = ['analyst', 'analyts']\n\
             attributes = {{ region = 'EU', regoin = 'US', level = 'high' }}\n\n\
             [users.bob]\npassword = '{HASH}'\nroles = ['analyst']\nattributes = {{ level = 1 }}\n"
        );
        let (users, warnings) = known_users(UsersFile::parse(&text, "users.toml").unwrap(), &mesh);
        assert_eq!(
            render_all(&warnings),
            "\
users.toml:1:1: warning: user `ana`: attribute `level` is declared as Long, but is text
  hint: write a whole number without quotes
users.toml:1:1: warning: user `ana`: principals of this mesh have no attribute `regoin`
  hint: did you mean `region`?
users.toml:1:1: warning: user `ana`: there is no role `analyts` in this mesh
  hint: did you mean `analyst`?"
        );
        let ana = users.principal("ana").unwrap();
        assert!(ana.roles().contains("analyst") && ana.roles().len() == 1);
        assert_eq!(ana.attributes().keys().collect::<Vec<_>>(), ["region"]);
        let bob = users.principal("bob").unwrap();
        assert_eq!((bob.roles().len(), bob.attributes().len()), (1, 1), "what the mesh knows stays");
    }
}
