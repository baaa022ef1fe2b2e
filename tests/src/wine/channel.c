/*
 * Stands for a virtio channel: a named pipe at whose other end somebody answers a few requests, or says nothing if
 * this program has an argument.
 */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static void answer(HANDLE pipe, const char *request)
{
    char reply[2048];
    DWORD written;

    if (!strncmp(request, "ping", 4))
        snprintf(reply, sizeof(reply), "200 pong%s\n", request + 4);
    else if (!strcmp(request, "version"))
        strcpy(reply, "200 hostinfo/1\n");
    else
        return;
    WriteFile(pipe, reply, strlen(reply), &written, NULL);
}

int main(int count, char **words)
{
    HANDLE pipe = CreateNamedPipeA("\\\\.\\pipe\\channel", PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);

    (void)words;
    if (pipe == INVALID_HANDLE_VALUE)
        return 1;
    puts("ready");
    fflush(stdout);
    while (ConnectNamedPipe(pipe, NULL) || GetLastError() == ERROR_PIPE_CONNECTED) {
        char line[1024];
        DWORD length = 0, got;

        while (length < sizeof(line) && ReadFile(pipe, line + length, 1, &got, NULL) && got) {
            if (line[length++] != '\n')
                continue;
            line[length - 1] = 0;
            if (count == 1)
                answer(pipe, line);
            length = 0;
        }
        DisconnectNamedPipe(pipe);
    }
    return 1;
}
