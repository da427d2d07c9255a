import Testing

@testable import SupervisorCore

struct InventoryTests {
    private static let main = ServiceKey(app: AppID(1), service: "main")
    private static let other = ServiceKey(app: AppID(1), service: "other")

    private static func container(_ id: String, _ key: ServiceKey, _ state: ContainerState) -> EngineContainer {
        EngineContainer(
            id: id,
            name: "\(key.service)_\(key.app)_",
            image: "image",
            imageID: "",
            labels: [ContainerLabel.app: key.app.description, ContainerLabel.service: key.service],
            state: state
        )
    }

    private static func inventory(_ containers: EngineContainer...) -> Inventory {
        var inventory = Inventory()
        inventory.replace(containers: containers, since: inventory.beginListing())
        return inventory
    }

    @Test func `instances follow the containers, without those whose labels are not ours`() {
        var inventory = Self.inventory(Self.container("a", Self.main, .running))
        #expect(inventory.hasListed)
        inventory.add(EngineContainer(id: "b", name: "b", image: "", imageID: "", labels: [:], state: .running))
        inventory.setState(of: "a", to: .exited)
        #expect(inventory.containers.map(\.id) == ["a", "b"])
        #expect(inventory.instances.map(\.state) == [.exited])
        #expect(inventory.containers(of: AppID(1)).map(\.id) == ["a"])
        inventory.remove(container: "a")
        #expect(inventory.instances == [])
        #expect(inventory.apps == [])
    }

    @Test func `a container that is not alive shares no lock directory`() {
        var inventory = Self.inventory(
            Self.container("new", Self.main, .running),
            Self.container("old", Self.main, .running),
            Self.container("beside", Self.other, .exited)
        )
        #expect(inventory.isShared(Self.main, with: "new"))
        #expect(!inventory.othersRun(than: Self.main))
        #expect(inventory.othersRun(than: Self.other))
        inventory.setState(of: "old", to: .exited)
        #expect(!inventory.isShared(Self.main, with: "new"))
        #expect(inventory.isAlive(Self.main))
        #expect(!inventory.isAlive(Self.other))
    }

    @Test func `what we stop is remembered as long as it is listed`() {
        var inventory = Self.inventory(
            Self.container("a", Self.main, .running),
            Self.container("b", Self.main, .running)
        )
        inventory.weStop("a")
        inventory.weStop("b")
        inventory.weNoLongerStop("b")
        #expect(inventory.isStoppedByUs("a"))
        #expect(!inventory.isStoppedByUs("b"))
        inventory.replace(containers: [], since: inventory.beginListing())
        #expect(!inventory.isStoppedByUs("a"))
    }

    @Test func `what happens while the engine lists is newer than its list`() {
        var inventory = Self.inventory(
            Self.container("a", Self.main, .running),
            Self.container("b", Self.other, .running)
        )
        let before = [Self.container("a", Self.main, .running), Self.container("b", Self.other, .running)]
        let mark = inventory.beginListing()
        inventory.setState(of: "a", to: .exited)
        inventory.remove(container: "b")
        inventory.add(Self.container("c", Self.other, .created))
        inventory.setState(of: "c", to: .running)
        let later = inventory.beginListing()
        inventory.replace(containers: before, since: mark)
        inventory.endListing()
        #expect(inventory.containers.map(\.id) == ["a", "c"])
        #expect(inventory.containers.map(\.state) == [.exited, .running])
        // A list that was asked for afterwards says what there is.
        inventory.replace(containers: before, since: later)
        inventory.endListing()
        #expect(inventory.containers.map(\.state) == [.running, .running])
    }
}
