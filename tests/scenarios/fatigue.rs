//! Tiring somebody into approving: few pushes lie open at once, and who is denied asks no more.

use std::{net::IpAddr, time::Duration};

use countersign_client::{Begun, DeviceToken, LoginStep};
use futures_util::future::join_all;
use harness::{Database, Person, World, WorldBuilder, on_both_databases};

/// A world whose budgets of pushes are those that nobody has changed.
fn usual(database: Database) -> WorldBuilder {
    World::builder(database)
        .set("TRUSTED_PROXIES", "127.0.0.1")
        .set("OPEN_PUSHES_PER_PHONE", "2")
        .set("OPEN_PUSHES_FOR_DEVICES", "1")
        .set("DENIALS_PER_PHONE_AND_NETWORK", "3/1d")
        .set("DENIALS_PER_PHONE", "6/1d")
}

/// Of four networks.
fn address(network: u8) -> IpAddr {
    IpAddr::from([198, 51, network, 7])
}

async fn begin_from(world: &World, person: &Person, address: IpAddr) -> Begun {
    let begun = world.client_from(address).login(person.login()).await.unwrap().into_result().unwrap();
    world.planted.plant("login token", begun.login_token.reveal());
    begun
}

async fn begin_on(world: &World, person: &Person, device: &DeviceToken) -> Begun {
    let begun = world.client.login(person.login_from(device)).await.unwrap().into_result().unwrap();
    world.planted.plant("login token", begun.login_token.reveal());
    begun
}

fn was_pushed(begun: &Begun) -> bool {
    begun.status.next_step == LoginStep::ApproveOnPhone
}

async fn open_pushes(world: &World, person: &Person) -> usize {
    let device = world.device(person).await;
    device.approval_requests.iter().filter(|request| request.is_pending()).count()
}

async fn deny(world: &World, person: &Person, begun: &Begun) {
    world.deny(person, &begun.status).await;
    world.wait_for_denial(&begun.login_token).await;
}

async fn two_pushes_lie_open_at_most_and_a_third_for_a_known_device(database: Database) {
    let (world, person) = (usual(database).with_metrics().start().await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    let logins = join_all((0..20).map(|_| world.begin_login(&person))).await;
    assert_eq!(logins.iter().filter(|begun| was_pushed(begun)).count(), 2);
    assert_eq!(open_pushes(&world, &person).await, 2);
    // A further login asks for a code.
    assert!(logins.iter().all(|begun| was_pushed(begun) || begun.status.code_channel.is_some()));
    let known = join_all((0..5).map(|_| begin_on(&world, &person, &device))).await;
    assert_eq!(known.iter().filter(|begun| was_pushed(begun)).count(), 1);
    assert_eq!(open_pushes(&world, &person).await, 3);
    // Each that had to go without is counted once.
    let counted = r#"countersign_budgets_used_up_total{budget="open_pushes_per_phone"} 22"#;
    let metrics = world.metrics().await;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    // Nobody's was taken away.
    for begun in logins.iter().chain(&known).filter(|begun| was_pushed(begun)) {
        world.approve(&person, &begun.status).await;
        world.session(&begun.login_token).await;
    }
    assert!(was_pushed(&world.begin_login(&person).await));
}

async fn giving_up_does_not_make_room_for_another_push(database: Database) {
    let (world, person) = (usual(database).start().await, Person::new());
    world.sign_up(&person).await;
    for number in 0..10 {
        let begun = world.begin_login(&person).await;
        assert_eq!(was_pushed(&begun), number < 2);
        world.client.cancel_login(&begun.login_token).await.unwrap();
    }
    assert_eq!(open_pushes(&world, &person).await, 2);
    // When they expire, there is room again.
    world.advance(Duration::from_mins(10)).await;
    assert!(was_pushed(&world.begin_login(&person).await));
}

async fn signups_of_strangers_leave_a_place_to_the_user_of_the_phone(database: Database) {
    let (world, person) = (usual(database).start().await, Person::new());
    world.sign_up(&person).await;
    let strangers: Vec<_> = (0..5).map(|_| person.sharing_phone()).collect();
    let signups = join_all(strangers.iter().map(|stranger| world.begin_signup(stranger))).await;
    assert_eq!(signups.iter().filter(|begun| was_pushed(begun)).count(), 1);
    let begun = world.begin_login(&person).await;
    assert!(was_pushed(&begun));
    assert_eq!(open_pushes(&world, &person).await, 2);
    world.approve(&person, &begun.status).await;
    world.session(&begun.login_token).await;
}

async fn after_three_denials_the_fourth_login_from_there_asks_for_a_code(database: Database) {
    let (world, person) = (usual(database).start().await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    for _ in 0..3 {
        let begun = begin_from(&world, &person, address(1)).await;
        assert!(was_pushed(&begun));
        deny(&world, &person, &begun).await;
    }
    let fourth = begin_from(&world, &person, address(1)).await;
    assert_eq!((&fourth.status.next_step, &fourth.status.match_number), (&LoginStep::EnterCode, &None));
    assert!(fourth.status.code_channel.is_some());
    // From elsewhere, and from a known device, it pushes.
    let elsewhere = begin_from(&world, &person, address(2)).await;
    assert!(was_pushed(&elsewhere));
    let known = begin_on(&world, &person, &device).await;
    assert!(was_pushed(&known));
    for begun in [&elsewhere, &known] {
        world.approve(&person, &begun.status).await;
        world.session(&begun.login_token).await;
    }
    // After the pause it may try again: each further denial makes the next one longer.
    for minutes in [10, 20] {
        world.advance(Duration::from_mins(minutes - 1)).await;
        assert!(!was_pushed(&begin_from(&world, &person, address(1)).await), "{minutes}");
        world.advance(Duration::from_mins(1)).await;
        let begun = begin_from(&world, &person, address(1)).await;
        assert!(was_pushed(&begun), "{minutes}");
        deny(&world, &person, &begun).await;
    }
}

async fn who_changes_networks_is_denied_everywhere_in_the_end(database: Database) {
    let (world, person) = (usual(database).start().await, Person::new());
    let device = world.sign_up(&person).await.device_token;
    for network in 0..6 {
        let begun = begin_from(&world, &person, address(network)).await;
        assert!(was_pushed(&begun));
        deny(&world, &person, &begun).await;
    }
    assert!(!was_pushed(&begin_from(&world, &person, address(100)).await));
    assert!(was_pushed(&begin_on(&world, &person, &device).await));
}

async fn a_phone_is_asked_so_often_in_an_hour_and_then_codes_are(database: Database) {
    let world = usual(database)
        .set("PUSHES_PER_PHONE", "4/1h")
        .set("PUSHES_PER_UNPROVEN_PHONE", "2/1h")
        .start()
        .await;
    let person = Person::new();
    let device = world.sign_up(&person).await.device_token;
    let approved = async |begun: Begun| {
        world.approve(&person, &begun.status).await;
        world.session(&begun.login_token).await;
    };
    for _ in 0..4 {
        let begun = world.begin_login(&person).await;
        assert!(was_pushed(&begun));
        approved(begun).await;
    }
    assert!(!was_pushed(&world.begin_login(&person).await));
    let known = begin_on(&world, &person, &device).await;
    assert!(was_pushed(&known));
    approved(known).await;
    // The signup itself was the first of two.
    assert!(was_pushed(&world.begin_signup(&person.sharing_phone()).await));
    world.advance(Duration::from_mins(15)).await;
    let begun = world.begin_login(&person).await;
    assert!(was_pushed(&begun));
}

on_both_databases! {
    two_pushes_lie_open_at_most_and_a_third_for_a_known_device,
    giving_up_does_not_make_room_for_another_push,
    signups_of_strangers_leave_a_place_to_the_user_of_the_phone,
    after_three_denials_the_fourth_login_from_there_asks_for_a_code,
    who_changes_networks_is_denied_everywhere_in_the_end,
    a_phone_is_asked_so_often_in_an_hour_and_then_codes_are,
}
