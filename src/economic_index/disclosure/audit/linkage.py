"""stub"""
def check_linkage(connection, found, on_step=None):
    return {}
