// Lists every server of every cloud: java ListServers HOST:PORT (without TLS, for an oaktree on this machine)

import io.grpc.ManagedChannelBuilder;
import org.openstackoid.oaktree.v1.ComputeServiceGrpc;
import org.openstackoid.oaktree.v1.ListServersRequest;

class ListServers {
  public static void main(String[] arguments) {
    var channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
    ComputeServiceGrpc.newBlockingStub(channel).listServers(ListServersRequest.getDefaultInstance()).forEachRemaining(answer -> {
      answer.getServersList().forEach(server ->
          System.out.println(server.getLocation().getCloud() + " " + server.getName() + " " + server.getStatus()));
      answer.getSummary().getResultsList().stream().filter(result -> result.hasError()).forEach(result ->
          System.err.println(result.getLocation().getCloud() + ": " + result.getError().getMessage()));
    });
    channel.shutdownNow();
  }
}
