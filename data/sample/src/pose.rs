//! Computes the joints of a build in a pose.
//!
//! The joints are computed for a dog that stands and faces right; sitting turns the trunk around the hip, lying
//! lowers it.

use data::draw::Stream;

use crate::builds::{Build, Tail};
use crate::shapes::{Node, Outline, Point, between, turned};

/// The stance of a dog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stance {
    Stand,
    Walk,
    Sit,
    Lie,
}

/// The direction in which a dog looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gaze {
    /// Ahead: the head is seen from the side.
    Ahead,
    /// At the camera, turned by this share of the muzzle's width.
    AtUs(f32),
}

/// The pose of one dog.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pose {
    pub(crate) stance: Stance,
    pub(crate) gaze: Gaze,
    /// Reach of a step, heights at the withers.
    stride: f32,
    /// Rise of the neck, degrees above its usual carriage.
    raise: f32,
    /// Tilt of the head, radians.
    pub(crate) tilt: f32,
    /// Turn of the tail, radians.
    wag: f32,
    /// Whether the tongue is out.
    pub(crate) panting: bool,
}

impl Pose {
    /// Draws a random pose.
    pub(crate) fn draw(draws: &mut Stream) -> Self {
        let stance = match draws.unit() {
            p if p < 0.54 => Stance::Stand,
            p if p < 0.8 => Stance::Walk,
            p if p < 0.92 => Stance::Sit,
            _ => Stance::Lie,
        };
        let gaze = if draws.chance(0.33) { Gaze::AtUs(between(draws, 0.0, 0.35)) } else { Gaze::Ahead };
        Self {
            stance,
            gaze,
            stride: between(draws, 0.08, 0.17),
            raise: between(draws, -9.0, 9.0),
            tilt: between(draws, -0.16, 0.08),
            wag: between(draws, -0.2, 0.2),
            panting: draws.chance(0.3),
        }
    }
}

/// One leg, from thigh or shoulder to the paw.
#[derive(Debug, Clone)]
pub(crate) struct Leg {
    pub(crate) joints: Vec<Node>,
    /// Middle of the paw.
    pub(crate) paw: Point,
    /// Heights between which the leg fades into the trunk.
    pub(crate) fade: (f32, f32),
}

/// The positions of all joints.
#[derive(Debug, Clone)]
pub(crate) struct Skeleton {
    pub(crate) torso: Outline,
    /// From the shoulder to the skull.
    pub(crate) neck: Vec<Node>,
    pub(crate) skull: Point,
    pub(crate) near_fore: Leg,
    pub(crate) far_fore: Leg,
    pub(crate) near_hind: Leg,
    pub(crate) far_hind: Leg,
    pub(crate) tail: Vec<Node>,
    turn: f32,
    hip: Point,
    shift: Point,
}

impl Skeleton {
    /// Computes the skeleton of `build` in `pose`.
    pub(crate) fn new(build: &Build, pose: &Pose) -> Self {
        let stand = Standing::new(build);
        let (turn, shift) = match pose.stance {
            Stance::Stand | Stance::Walk => (0.0, (0.0, 0.0)),
            Stance::Sit => {
                // The forehand stays as high as it was, as far as the back is long enough.
                let seat = 0.27 * stand.depth + build.bone;
                let (dx, dy) = (stand.shoulder.0 - stand.hip.0, stand.shoulder.1 - stand.hip.1);
                let steepest = ((stand.shoulder.1 - seat) / libm::hypotf(dx, dy)).min(0.84);
                (libm::asinf(steepest) - libm::atan2f(dy, dx), (0.0, seat - stand.hip.1))
            }
            Stance::Lie => (0.03, (0.0, 0.02 - build.leg)),
        };
        let mut skeleton = Self {
            torso: Outline::default(),
            neck: Vec::new(),
            skull: (0.0, 0.0),
            near_fore: stand.fore(build, pose.stride),
            far_fore: stand.fore(build, -pose.stride),
            near_hind: stand.hind(build, -pose.stride),
            far_hind: stand.hind(build, pose.stride),
            tail: Vec::new(),
            turn,
            hip: stand.hip,
            shift,
        };
        skeleton.torso = Outline::blob(&stand.trunk(build)).map(|p| skeleton.placed(p));
        skeleton.carry_head(build, pose, &stand);
        skeleton.set_legs(build, pose, &stand);
        skeleton.tail = skeleton.carry_tail(build, pose, &stand);
        skeleton
    }

    /// Returns the position in this pose of a point of the standing trunk.
    pub(crate) fn placed(&self, p: Point) -> Point {
        let (x, y) = turned(p, self.hip, self.turn);
        (x + self.shift.0, y + self.shift.1)
    }

    fn carry_head(&mut self, build: &Build, pose: &Pose, stand: &Standing) {
        let base = self.placed((stand.shoulder.0, stand.shoulder.1 + 0.08 * stand.depth));
        let sitting = if pose.stance == Stance::Sit { 10.0 } else { 0.0 };
        let angle = (build.carriage + pose.raise + sitting).to_radians();
        let (dx, dy) = (build.neck * libm::cosf(angle), build.neck * libm::sinf(angle));
        let thick = 0.36 * stand.depth.min(0.56) * build.neck_girth.max(0.7);
        let thin = build.head.skull * 0.8 * build.neck_girth.clamp(0.75, 1.1);
        self.skull = (base.0 + dx, base.1 + dy);
        self.neck = vec![
            (base.0 - 0.1 * dx, base.1 - 0.1 * dy, thick),
            (base.0 + 0.45 * dx, base.1 + 0.5 * dy, 0.5 * (thick + thin)),
            (base.0 + 0.95 * dx, base.1 + 0.95 * dy, thin),
        ];
    }

    fn set_legs(&mut self, build: &Build, pose: &Pose, stand: &Standing) {
        match pose.stance {
            Stance::Walk => {}
            Stance::Stand => {
                self.near_fore = stand.fore(build, 0.0);
                self.near_hind = stand.hind(build, -0.35 * pose.stride);
                self.far_fore = stand.fore(build, 0.5 * pose.stride);
                self.far_hind = stand.hind(build, 0.6 * pose.stride);
            }
            Stance::Sit => self.sit(build, stand),
            Stance::Lie => self.lie(build, stand),
        }
    }

    fn sit(&mut self, build: &Build, stand: &Standing) {
        let bone = build.bone;
        let shoulder = self.placed(stand.shoulder);
        let drop = stand.shoulder.1 - build.leg;
        let hip = self.placed(self.hip);
        for (leg, ahead) in [(&mut self.near_fore, 0.0), (&mut self.far_fore, 0.07)] {
            let x = shoulder.0 + 0.02 + ahead;
            leg.joints = vec![
                (x - 0.02, shoulder.1 - 0.3 * drop, 0.16 * stand.depth * build.muscle),
                (x, (shoulder.1 - 1.05 * drop).max(2.5 * bone), 0.09 * stand.depth + 0.5 * bone),
                (x + 0.01, (shoulder.1 - drop).max(2.0 * bone) * 0.45, bone),
                (x + 0.01, bone, 0.92 * bone),
            ];
            leg.paw = (x + 0.6 * bone, 0.7 * bone);
            leg.fade = (shoulder.1, shoulder.1 - drop);
        }
        for (leg, ahead) in [(&mut self.near_hind, 0.0), (&mut self.far_hind, 0.09)] {
            let size = stand.depth.min(0.52) * build.muscle.max(0.8);
            let knee = (hip.0 + 0.62 * size + ahead, 0.62 * size);
            leg.joints = vec![
                (hip.0 + 0.05, hip.1 + 0.12 * size, 0.42 * size),
                (hip.0 + 0.3 * size + 0.5 * ahead, 0.52 * size, 0.36 * size),
                (knee.0 - 0.06, knee.1 * 0.6, 0.2 * size),
                (knee.0 - 0.08, bone, bone),
                (knee.0 + 0.12, 0.8 * bone, 0.85 * bone),
            ];
            leg.paw = (knee.0 + 0.12 + 0.6 * bone, 0.7 * bone);
            leg.fade = (hip.1 + 0.5 * size, hip.1 + 0.1 * size);
        }
    }

    fn lie(&mut self, build: &Build, stand: &Standing) {
        let bone = build.bone;
        let shoulder = self.placed(stand.shoulder);
        let hip = self.placed(self.hip);
        let reach = 0.55 * build.leg + 0.12;
        for (leg, ahead) in [(&mut self.near_fore, 0.0), (&mut self.far_fore, 0.1)] {
            let x = shoulder.0 + ahead;
            leg.joints = vec![
                (x, shoulder.1 - 0.12, 0.15 * stand.depth * build.muscle),
                (x - 0.04, 1.9 * bone, 1.45 * bone),
                (x + 0.5 * reach, 1.05 * bone, 1.05 * bone),
                (x + reach, 0.9 * bone, 0.9 * bone),
            ];
            leg.paw = (x + reach + 0.7 * bone, 0.72 * bone);
            leg.fade = (shoulder.1 + 0.05, shoulder.1 - 0.22);
        }
        for (leg, ahead) in [(&mut self.near_hind, 0.0), (&mut self.far_hind, 0.12)] {
            let size = stand.depth.min(0.52) * build.muscle.max(0.8);
            leg.joints = vec![
                (hip.0, hip.1 - 0.02, 0.36 * size),
                (hip.0 + 0.25 * size + ahead, 0.34 * size, 0.32 * size),
                (hip.0 + 0.42 * size + ahead, 1.2 * bone, 1.2 * bone),
                (hip.0 + 0.42 * size + 0.2 + ahead, 0.85 * bone, 0.85 * bone),
            ];
            leg.paw = (hip.0 + 0.42 * size + 0.2 + ahead + 0.6 * bone, 0.72 * bone);
            leg.fade = (hip.1 + 0.4 * size, hip.1);
        }
    }

    fn carry_tail(&self, build: &Build, pose: &Pose, stand: &Standing) -> Vec<Node> {
        let root = self.placed(stand.tail);
        let steps: &[Node] = match build.tail {
            Tail::Hanging => {
                &[(0.04, -0.02, 0.06), (-0.1, -0.14, 0.065), (-0.15, -0.38, 0.075), (-0.26, -0.56, 0.02)]
            }
            Tail::Whip => &[(0.04, 0.0, 0.04), (-0.08, -0.16, 0.03), (-0.14, -0.4, 0.02), (-0.3, -0.5, 0.01)],
            Tail::Plume => {
                &[(0.04, -0.01, 0.05), (-0.16, -0.03, 0.06), (-0.38, 0.0, 0.065), (-0.58, 0.1, 0.02)]
            }
            Tail::Curl => &[
                (0.05, -0.02, 0.06),
                (-0.07, 0.06, 0.06),
                (-0.06, 0.2, 0.055),
                (0.06, 0.23, 0.05),
                (0.1, 0.13, 0.045),
                (0.03, 0.09, 0.03),
            ],
            Tail::Fan => &[(0.04, 0.0, 0.09), (-0.08, 0.14, 0.13), (0.04, 0.27, 0.17), (0.26, 0.27, 0.1)],
            Tail::Flag => {
                &[(0.05, -0.03, 0.05), (-0.1, 0.1, 0.042), (-0.19, 0.28, 0.032), (-0.17, 0.46, 0.012)]
            }
            Tail::Bob => &[(0.05, -0.03, 0.06), (-0.04, 0.01, 0.05)],
            Tail::Ball => &[(0.03, -0.02, 0.035), (-0.04, 0.12, 0.024), (-0.07, 0.26, 0.022)],
        };
        let on_ground = |r: f32| r.max(0.012); // a tail that reaches the ground lies on it
        steps
            .iter()
            .map(|&(dx, dy, r)| {
                let (x, y) = turned((root.0 + dx, root.1 + dy), root, pose.wag + 0.35 * self.turn);
                (x, y.max(on_ground(r)), r)
            })
            .collect()
    }
}

/// The joints of the standing dog.
struct Standing {
    depth: f32,
    shoulder: Point,
    elbow: Point,
    hip: Point,
    tail: Point,
}

impl Standing {
    fn new(build: &Build) -> Self {
        let depth = 1.0 - build.leg;
        let girth = depth.min(0.56); // of long, low dogs: their shoulders are no longer than others'
        let half = build.length / 2.0;
        Self {
            depth,
            shoulder: (half - 0.3 * girth, 1.0 - 0.42 * depth),
            elbow: (half - 0.38 * girth, build.leg),
            hip: (-half + 0.32 * girth, 1.0 - build.slope - 0.36 * depth),
            tail: (-half + 0.04, 1.0 - build.slope - 0.12 * depth),
        }
    }

    /// Returns the outline of the trunk, from the withers backwards.
    fn trunk(&self, build: &Build) -> Vec<Point> {
        let (d, half) = (self.depth, build.length / 2.0);
        let girth = d.min(0.56);
        let croup = 1.0 - build.slope;
        let belly = build.leg + build.tuck * d;
        vec![
            (half - 0.42 * girth, 1.0),
            (0.1 * build.length, 0.985 - 0.15 * build.slope + 0.4 * build.arch),
            (-0.16 * build.length, 0.985 - 0.5 * build.slope + build.arch),
            (-half + 0.32 * girth, croup),
            (-half + 0.06, croup - 0.1 * d),
            (-half, croup - 0.36 * d),
            (-half + 0.14 * girth, croup - 0.36 * d - 0.34 * girth),
            (-half + 0.62 * girth, belly),
            (0.02 * build.length, build.leg + 0.42 * build.tuck * d),
            (half - 0.5 * girth, build.leg - 0.05 * d),
            (half - 0.12 * girth, build.leg + 0.18 * d),
            (half, build.leg + 0.5 * d),
            (half - 0.08 * girth, 1.0 - 0.2 * d),
        ]
    }

    fn fore(&self, build: &Build, swing: f32) -> Leg {
        let (bone, muscle, (x, y)) = (build.bone, build.muscle, self.elbow);
        let swing = swing * (build.leg + 0.25);
        let lift = if swing > 0.0 { 0.25 * swing } else { 0.0 };
        let foot = (x + swing, lift);
        Leg {
            joints: vec![
                (self.shoulder.0 + 0.01, self.shoulder.1 - 0.1 * self.depth, 0.2 * self.depth * muscle),
                (x, y + 0.02, 0.1 * self.depth * muscle + 0.45 * bone),
                (x + 0.6 * swing + 0.01, 0.45 * y + 0.7 * lift, bone),
                (foot.0, foot.1 + 1.2 * bone, 0.92 * bone),
            ],
            paw: (foot.0 + 0.55 * bone, foot.1 + 0.72 * bone),
            fade: (self.shoulder.1, build.leg + 0.05),
        }
    }

    fn hind(&self, build: &Build, swing: f32) -> Leg {
        let (bone, muscle, d) = (build.bone, build.muscle, self.depth.min(0.56));
        let swing = swing * (build.leg + 0.25);
        let lift = if swing > 0.0 { 0.15 * swing } else { 0.0 };
        let rear = -build.length / 2.0;
        let back = 0.55 * build.slope;
        let foot = (rear + 0.05 + swing - back, lift);
        Leg {
            joints: vec![
                (self.hip.0, self.hip.1, 0.31 * d * muscle),
                (self.hip.0 + 0.2 * d + 0.3 * swing, build.leg * 0.98 + 0.05, 0.19 * d * muscle),
                (self.hip.0 - 0.08 * d + 0.4 * swing, build.leg * 0.72, 0.55 * bone + 0.08 * d * muscle),
                (rear + 0.01 + 0.7 * swing - back, build.leg * 0.46 + 0.6 * lift, 1.05 * bone),
                (foot.0, foot.1 + 1.2 * bone, 0.9 * bone),
            ],
            paw: (foot.0 + 0.6 * bone, foot.1 + 0.72 * bone),
            fade: (self.hip.1 + 0.12 * d, build.leg + 0.08),
        }
    }
}
