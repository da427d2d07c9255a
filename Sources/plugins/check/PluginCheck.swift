@main
struct PluginCheck {
    static func main() {}
}
