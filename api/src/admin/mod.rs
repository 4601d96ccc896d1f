//! What whoever runs the installation does about people and organisations.

mod impersonation;
mod model;
mod organizations;
mod overview;
mod suspension;
mod users;

pub(crate) use impersonation::Impersonation;
pub(crate) use organizations::Organizations;
pub(crate) use overview::Overview;
pub(crate) use users::Users;

use crate::state::App;

pub(crate) type Apis = (Users, Organizations, Overview, Impersonation);

pub(crate) fn apis(app: &App) -> Apis {
    (
        Users { app: app.clone() },
        Organizations { app: app.clone() },
        Overview { app: app.clone() },
        Impersonation { app: app.clone() },
    )
}
