/// Why a text is not the address of a service.
struct CloudServerError: Error {
    var reason: String
    var allowed = "https:// and a name, with :port where it is not 443; http:// for this machine alone"
}
