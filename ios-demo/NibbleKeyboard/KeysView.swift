import Nibble
import NibbleKeyboardAdapter
import UIKit

/// What keys do when they are touched.
@MainActor
protocol KeysViewDelegate: AnyObject {
    /// A key was pressed, at `point`; `nil` where nothing was touched, as by VoiceOver.
    func press(_ key: KeyboardKey, at point: CGPoint?)
    /// What a held key offers was chosen.
    func type(_ text: String)
    /// A finger slid on the space bar.
    func moveCursor(by characters: Int)
    /// Space was swiped.
    func acceptGhost(_ part: GhostPart)
}

/// A page of keys. A second finger finishes what the first one began, so that fast typing loses nothing.
final class KeysView: UIView {
    weak var delegate: (any KeysViewDelegate)?
    private var plane: KeyboardPlane?
    private var views: [KeyView] = []
    private var shift = ShiftState.off
    private var hasGhost = false
    private var touch: HeldKey?
    private let popup = KeyPopupView()

    /// A finger on a key.
    private struct HeldKey {
        let touch: UITouch
        let view: KeyView
        let start: CGPoint
        var timer: Timer?
        /// Whether lifting the finger does nothing more.
        var isDone = false
        /// Whether it chooses among what the key offers.
        var chooses = false
        /// What it means on the space bar.
        var space: SpaceBarGesture?
    }

    override init(frame: CGRect) {
        super.init(frame: frame)
        isMultipleTouchEnabled = true
    }

    @available(*, unavailable)
    required init?(coder: NSCoder) {
        nil
    }

    /// Draws a page; `nextKeyboard` is the system's button for the key of that name.
    func show(
        _ plane: KeyboardPlane, shift: ShiftState, hasGhost: Bool, returnKey: TextInputTraits.ReturnKey,
        nextKeyboard: UIButton
    ) {
        self.shift = shift
        self.hasGhost = hasGhost
        if plane != self.plane {
            cancelTouch()
            self.plane = plane
            views.forEach { $0.removeFromSuperview() }
            views = plane.keys.map { key in
                KeyView(key) { [weak self] in self?.delegate?.press(key, at: nil) }
            }
            for view in views { addSubview(view) }
            nextKeyboard.removeFromSuperview()
            if let view = views.first(where: { $0.key.action == .nextKeyboard }) {
                // The system's own list of keyboards needs the touches themselves.
                view.isAccessibilityElement = false
                nextKeyboard.frame = view.frame
                nextKeyboard.accessibilityLabel = view.key.accessibilityLabel(.off)
                addSubview(nextKeyboard)
            }
        }
        views.forEach { $0.show(shift, returnKey: returnKey) }
    }

    // MARK: Touches

    override func touchesBegan(_ touches: Set<UITouch>, with event: UIEvent?) {
        for touch in touches {
            finish()
            let point = touch.location(in: self)
            guard let key = plane?.key(at: point), key.action != .nextKeyboard,
                let view = views.first(where: { $0.key == key })
            else { continue }
            view.isPressed = true
            self.touch = HeldKey(touch: touch, view: view, start: point)
            switch key.action {
            case .backspace:
                delegate?.press(key, at: point)
                self.touch?.isDone = true
                repeatBackspace(0)
            case .space:
                self.touch?.space = SpaceBarGesture(width: key.frame.width, hasGhost: hasGhost)
            case .character:
                showPreview(of: key)
                guard !key.longPress.isEmpty else { break }
                wait(.milliseconds(400)) { [weak self] in self?.showAccents() }
            default: break
            }
        }
    }

    override func touchesMoved(_ touches: Set<UITouch>, with event: UIEvent?) {
        guard let held = touch, touches.contains(held.touch) else { return }
        let point = held.touch.location(in: self)
        if held.chooses {
            popup.select(at: convert(point, to: popup))
        } else if let characters = touch?.space?.slide(to: point.x - held.start.x), characters != 0 {
            delegate?.moveCursor(by: characters)
        }
    }

    override func touchesEnded(_ touches: Set<UITouch>, with event: UIEvent?) {
        if let held = touch, touches.contains(held.touch) { finish() }
    }

    override func touchesCancelled(_ touches: Set<UITouch>, with event: UIEvent?) {
        if let held = touch, touches.contains(held.touch) { cancelTouch() }
    }

    private func finish() {
        guard let held = touch else { return }
        let chosen = held.chooses ? popup.chosen : nil
        cancelTouch()
        if let chosen {
            delegate?.type(held.view.key.longPress[chosen])
        } else if let end = held.space?.end {
            switch end {
            case .press: delegate?.press(held.view.key, at: held.start)
            case .accept(let part): delegate?.acceptGhost(part)
            case .nothing: break
            }
        } else if !held.isDone {
            delegate?.press(held.view.key, at: held.start)
        }
    }

    private func cancelTouch() {
        touch?.timer?.invalidate()
        touch?.view.isPressed = false
        touch = nil
        popup.removeFromSuperview()
    }

    /// On a tablet the finger hides less than a key.
    private func showPreview(of key: KeyboardKey) {
        guard traitCollection.userInterfaceIdiom == .phone, let face = key.preview(shift) else { return }
        show([face], above: key)
    }

    private func showAccents() {
        guard let key = touch?.view.key else { return }
        touch?.chooses = true
        show(key.longPressFaces(shift), above: key)
    }

    private func show(_ texts: [String], above key: KeyboardKey) {
        // What is above the keys may be covered for a moment.
        popup.show(
            KeyPopup(texts, above: key.frame, width: bounds.width, roomAbove: frame.minY), in: self)
    }

    private func repeatBackspace(_ count: Int) {
        wait(BackspaceRepeat.delay(before: count)) { [weak self] in
            guard let self, let held = self.touch else { return }
            self.delegate?.press(held.view.key, at: held.start)
            self.repeatBackspace(count + 1)
        }
    }

    private func wait(_ delay: Duration, then work: @escaping @MainActor @Sendable () -> Void) {
        touch?.timer?.invalidate()
        touch?.timer = Timer.scheduledTimer(withTimeInterval: delay.timeInterval, repeats: false) { _ in
            MainActor.assumeIsolated(work)
        }
    }
}
